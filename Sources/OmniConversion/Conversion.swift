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

    /// How most weights will be stored.
    public var typeName: String { quantization == .source ? "\(TensorMap.mainType(checkpoint))" : quantization.description }

    /// Reads everything but the weights. Throws ``ConversionError`` for all that stands in the way, also too full a disk.
    @discardableResult
    public func plan(for path: String) throws(ConversionError) -> ConversionPlan {
        let plan = try ConversionPlan(checkpoint, type: quantization.stored.map { "\($0)" })
        try ConversionPlan.checkSpace(for: quantization.fileType == nil ? plan.byteCount : plan.byteCount * 2, at: path)
        return plan
    }

    /// Writes the GGUF, telling how far it is from 0 to 1. Blocks for as long as a disk takes to read and write that much. What is at
    /// `path` is replaced when all is done; nothing is left behind otherwise.
    public func run(to path: String, progress: @escaping @Sendable (Double) -> Void = { _ in }) throws(ConversionError) {
        let plan = try plan(for: path)
        try write(plan, to: GGUFFile(path: path), progress: progress)
    }

    func write(_ plan: ConversionPlan, to file: GGUFFile, progress: @escaping @Sendable (Double) -> Void) throws(ConversionError) {
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
