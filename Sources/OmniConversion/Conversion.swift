import CLlama
import Foundation
import Logging
import OmniLlama

/// Makes a GGUF of a checkpoint.
public struct Conversion: Sendable {
    public let checkpoint: Checkpoint
    public let quantization: Quantization
    public let threads: Int
    private let logger: Logger

    /// Reads `config.json` and the headers of the weights. Throws ``ConversionError``.
    public init(folder: String, quantization: Quantization = .source, threads: Int, logger: Logger) throws(ConversionError) {
        checkpoint = try Checkpoint(folder: folder)
        (self.quantization, self.threads, self.logger) = (quantization, threads, logger)
    }

    /// Another network of the same folder, stored alike.
    init(_ checkpoint: Checkpoint, like other: Conversion) {
        (self.checkpoint, quantization, threads, logger) = (checkpoint, other.quantization, other.threads, other.logger)
    }

    /// How most weights will be stored.
    public var typeName: String {
        guard quantization == .source, let table = try? checkpoint.architecture.table(checkpoint.config) else {
            return quantization.description
        }
        return "\(TensorMap.mainType(checkpoint, table))"
    }

    /// Reads everything but the weights. Throws ``ConversionError`` for all that stands in the way, also too full a disk.
    @discardableResult
    public func plan(for path: String) throws(ConversionError) -> ConversionPlan {
        let type = quantization.stored.map { "\($0)" }
        let plan = try checkpoint.part.isEmpty ? ConversionPlan(checkpoint, type: type) : ConversionPlan(talker: checkpoint, type: type)
        let encoders = try encoderPlan()
        let bytes = quantization.fileType == nil ? plan.byteCount : plan.byteCount * 2
        try ConversionPlan.checkSpace(for: bytes + (encoders?.byteCount ?? 0), at: path)
        return plan
    }

    /// The same for the encoders of pictures and sound; nil for a checkpoint without. They are not quantized.
    func encoderPlan() throws(ConversionError) -> ConversionPlan? {
        try ConversionPlan(encodersOf: checkpoint, type: quantization.fileType == nil ? quantization.stored.map { "\($0)" } : nil)
    }

    /// Writes the GGUF, telling how far it is from 0 to 1. Blocks for as long as a disk takes to read and write that much. What is at
    /// `path` is replaced when all is done; nothing is left behind otherwise. With `encoders` those of pictures and sound are written
    /// there, where the checkpoint has any.
    public func run(to path: String, encoders: String? = nil, progress: @escaping @Sendable (Double) -> Void = { _ in })
        throws(ConversionError)
    {
        let plan = try plan(for: path), further = try encoders == nil ? nil : encoderPlan()
        try write(plan, to: GGUFFile(path: path), encoders: further, at: encoders, progress: progress)
    }

    /// Writes both: the encoders' first, since whoever finds the other one takes all to be there.
    func write(
        _ plan: ConversionPlan, to file: GGUFFile, encoders: ConversionPlan?, at path: String?,
        progress: @escaping @Sendable (Double) -> Void
    ) throws(ConversionError) {
        guard let encoders, let path else { return try write(plan, to: file, progress: progress) }
        let share = Double(encoders.byteCount) / Double(max(plan.byteCount + encoders.byteCount, 1))
        let own = try GGUFFile(path: path)
        try encoders.write(own, threads: threads) { progress($0 * share) }
        try own.finish()
        try write(plan, to: file) { progress(share + $0 * (1 - share)) }
    }

    private func write(_ plan: ConversionPlan, to file: GGUFFile, progress: @escaping @Sendable (Double) -> Void) throws(ConversionError) {
        guard let type = quantization.fileType else {
            try plan.write(file, threads: threads, progress: progress)
            return try file.finish()
        }
        // libllama's quantizer takes a whole GGUF.
        let whole = try GGUFFile(path: file.path + ".whole")
        try plan.write(whole, threads: threads) { progress($0 * Self.writingShare) }
        try quantize(whole.temporaryPath, to: file.temporaryPath, type)
        try file.finish()
        progress(1)
    }

    /// What writing takes of the time, where quantizing follows.
    private static let writingShare = 0.3

    private func quantize(_ source: String, to target: String, _ type: llama_ftype) throws(ConversionError) {
        LlamaLog.start(logger: logger)
        LlamaLog.clearErrors()
        var parameters = llama_model_quantize_default_params()
        parameters.ftype = type
        parameters.nthread = Int32(clamping: threads)
        guard llama_model_quantize(source, target, &parameters) == 0 else {
            throw ConversionError(
                .disk, target, "It could not be quantized to \(quantization).\(LlamaLog.firstError.map { " llama.cpp says: \($0)" } ?? "")")
        }
    }
}
