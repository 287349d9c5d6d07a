import Foundation
import OmniEngine
import OmniTensor

/// How a checkpoint is loaded and run.
public struct DiffusionOptions: Sendable {
    /// CPU threads of a graph.
    public var threads = Processors.current.threads
    public var useGPU = true
    /// The device that computes, as ``ComputeDevice`` names it; nil takes the first GPU where ``useGPU`` allows, else the CPU.
    public var device: String?
    /// Threads that read weights; 1 reads one file after the other.
    public var loadThreads = 4
    /// Uses the checkpoint's files as memory where their bytes can stay as they are (CPU only).
    public var mapsWeights = true
    /// Type to store matrices as, by component (`transformer`, `text_encoder`); others stay as published.
    public var quantization: [String: ElementType] = [:]
    public var rounding = Rounding.exact
    public var tiling = Tiling.automatic
    /// Steps and guidance where a request leaves them open; nil takes the family's.
    public var steps: Int?
    public var guidanceScale: Float?
    /// Adapters that every request has.
    public var adapters: [ImageAdapter] = []
    /// Bytes a request may take; nil asks the machine.
    public var memoryLimit: Int?

    /// Notes which of ggml's operations graphs are made of, see ``DiffusionEngine/operations``.
    package var notesOperations = false

    public enum Rounding: Sendable {
        /// As the reference computes in f32: nothing is rounded on the way.
        case exact
        /// Products and convolutions take bf16, keys and values f16: faster, in less memory. Pictures stay near the reference's, 30 dB PSNR at least.
        case fast
    }

    public enum Tiling: Sendable {
        /// Where the whole picture would not fit.
        case automatic
        case always
        case never
    }

    public init() {}

    /// Stores the matrices of the transformer and the text encoder as the type of that name (`q8_0`, `q4_k`, …). The
    /// autoencoder has none worth it.
    ///
    /// - Returns: false where no such type is known.
    @discardableResult
    public mutating func quantize(transformerAndTextEncoder name: String) -> Bool {
        guard let type = ElementType(named: name) else { return false }
        quantization["transformer"] = type
        quantization["text_encoder"] = type
        return true
    }

    var precision: AttentionPrecision { rounding == .exact ? .exact : .flash }
}
