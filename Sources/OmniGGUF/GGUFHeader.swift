import Foundation

/// What a GGUF file says about itself before the weights: metadata, tensor sizes, and so how long the file must be.
///
/// Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Read without libllama, so that a model can be named,
/// listed and refused without loading anything. The file is hostile input: every count and length is checked against the
/// bytes that are left, and reading allocates no more than the file holds.
public struct GGUFHeader: Sendable {
    /// Format version, 2 or 3.
    public var version: Int
    /// Scalars and strings by key; of an array only its length.
    public var metadata: [String: Value]
    /// The arrays that were asked for.
    public var arrays: [String: Elements] = [:]
    /// What the file holds, in its order.
    public var tensors: [GGUFTensor] = []
    /// Where the tensors' data begin, bytes from the file's start.
    public var dataOffset: Int64 = 0
    /// Bytes that the file must have, by the tensors that it lists; nil when it uses a tensor type unknown here.
    public var expectedSize: Int64?
    /// Bytes that the file has.
    public var fileSize: Int64
    /// Sizes of the tensors by name, fastest axis first.
    public var shapes: [String: [Int]] {
        Dictionary(tensors.map { ($0.name, $0.shape.map { Int(clamping: $0) }) }) { first, _ in first }
    }

    /// A metadata value.
    public enum Value: Sendable, Equatable {
        case integer(Int64)
        case number(Double)
        case bool(Bool)
        case string(String)
        case array(count: Int)
    }

    /// The elements of a metadata array.
    public enum Elements: Sendable, Equatable {
        case strings([String])
        case integers([Int64])
        case numbers([Double])
    }
}

extension GGUFHeader {
    public func string(_ key: String) -> String? { if case .string(let value)? = metadata[key] { value } else { nil } }

    public func integer(_ key: String) -> Int? {
        if case .integer(let value)? = metadata[key] { Int(exactly: value) } else { nil }
    }

    /// Texts of an array that was asked for.
    public func strings(_ key: String) -> [String]? { if case .strings(let values)? = arrays[key] { values } else { nil } }

    /// Whole numbers of an array that was asked for.
    public func integers(_ key: String) -> [Int64]? { if case .integers(let values)? = arrays[key] { values } else { nil } }

    /// Numbers of an array that was asked for.
    public func numbers(_ key: String) -> [Double]? { if case .numbers(let values)? = arrays[key] { values } else { nil } }

    /// A number, also when it is a whole one.
    public func number(_ key: String) -> Double? {
        switch metadata[key] {
        case .number(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }

    public var tensorCount: Int { tensors.count }

    /// `general.architecture`: `llama`, `qwen2`, `bert`, `clip` …
    public var architecture: String { string("general.architecture") ?? "unknown" }

    /// Whether it has the tensor that only classifiers and rerankers have.
    var hasClassifierHead: Bool { tensors.contains { $0.name == "cls.output.weight" } }

    /// How token vectors become one: 0 none, 1 mean, 2 CLS, 3 last, 4 rank. Nil when the file does not say.
    public var poolingType: Int? { integer("\(architecture).pooling_type") }

    /// The longest context the model was trained for, tokens.
    public var contextLength: Int? { integer("\(architecture).context_length") }

    /// The number of files that the model is split into; 1 when it is not.
    public var splitCount: Int { max(1, integer("split.count") ?? 1) }

    /// A projector for images or sound, which goes beside a model and is none itself.
    public var isProjector: Bool { architecture == "clip" || string("general.type") == "mmproj" }

    /// Only adds to another model's weights.
    public var isAdapter: Bool { string("general.type") == "adapter" }

    /// Made to tell classes, or how well two texts fit (a reranker): it pools by rank, or has a head whose outputs have names.
    public var isClassifier: Bool { poolingType == 4 || metadata["\(architecture).classifier.output_labels"] != nil || hasClassifierHead }

    /// Made to turn text into vectors: an encoder's architecture, or a pooling other than none.
    public var isEmbedding: Bool {
        if isClassifier { return false }
        return Self.encoders.contains(architecture) || (1...3).contains(poolingType ?? 0)
    }

    /// Whether bytes are missing at the end.
    public var isCutShort: Bool { expectedSize.map { fileSize < $0 } ?? false }

    private static let encoders: Set<String> = [
        "bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "modern-bert", "jina-bert-v2", "jina-bert-v3", "eurobert",
        "gemma-embedding", "llama-embed", "t5encoder",
    ]
}

/// Why a file is not a readable GGUF.
public struct GGUFError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
