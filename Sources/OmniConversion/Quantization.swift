import CLlama

/// How a model's weights are stored: as the checkpoint has them, in another type of numbers, or in one of ggml's quantized ones.
public struct Quantization: Sendable, Equatable, CustomStringConvertible {
    public let description: String
    /// The type that is written first, nil for the checkpoint's own.
    let stored: StoredType?
    /// What libllama makes of that.
    let fileType: llama_ftype?

    /// As the checkpoint has them.
    public static let source = Quantization(description: "source", stored: nil, fileType: nil)

    /// `q8_0`, `q4_k_m` …, `bf16`, `f16`, `f32`; also `q4_k` and `q5_k` for their middle sizes, and vLLM's `fp8` and `int8` for `q8_0`.
    /// Throws ``ConversionError`` with the known names.
    public init(named name: String) throws(ConversionError) {
        let name = Self.aliases[name.lowercased()] ?? name.lowercased()
        if let stored = [StoredType.f32, .f16, .bf16].first(where: { "\($0)" == name }) {
            self.init(description: name, stored: stored, fileType: nil)
        } else if let known = Self.known.first(where: { $0.name == name }) {
            self.init(description: name, stored: nil, fileType: known.type)
        } else {
            throw ConversionError(
                .unsupported, "--quantization", "\(name) is no known type.", remedy: "Known are: \(Self.names.joined(separator: ", ")).")
        }
    }

    private init(description: String, stored: StoredType?, fileType: llama_ftype?) {
        (self.description, self.stored, self.fileType) = (description, stored, fileType)
    }

    public static var names: [String] { ["f32", "f16", "bf16"] + known.map(\.name) }

    private static let aliases = [
        "fp8": "q8_0", "int8": "q8_0", "q4_k": "q4_k_m", "q5_k": "q5_k_m", "q3_k": "q3_k_m", "float32": "f32", "float16": "f16",
        "bfloat16": "bf16",
    ]

    /// The types that need no importance matrix.
    private static let known: [(name: String, type: llama_ftype)] = [
        ("q8_0", LLAMA_FTYPE_MOSTLY_Q8_0), ("q6_k", LLAMA_FTYPE_MOSTLY_Q6_K), ("q5_k_m", LLAMA_FTYPE_MOSTLY_Q5_K_M),
        ("q5_k_s", LLAMA_FTYPE_MOSTLY_Q5_K_S),
        ("q5_1", LLAMA_FTYPE_MOSTLY_Q5_1), ("q5_0", LLAMA_FTYPE_MOSTLY_Q5_0), ("q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M),
        ("q4_k_s", LLAMA_FTYPE_MOSTLY_Q4_K_S),
        ("q4_1", LLAMA_FTYPE_MOSTLY_Q4_1), ("q4_0", LLAMA_FTYPE_MOSTLY_Q4_0), ("iq4_nl", LLAMA_FTYPE_MOSTLY_IQ4_NL),
        ("iq4_xs", LLAMA_FTYPE_MOSTLY_IQ4_XS),
        ("q3_k_l", LLAMA_FTYPE_MOSTLY_Q3_K_L), ("q3_k_m", LLAMA_FTYPE_MOSTLY_Q3_K_M), ("q3_k_s", LLAMA_FTYPE_MOSTLY_Q3_K_S),
        ("q2_k", LLAMA_FTYPE_MOSTLY_Q2_K),
    ]

    public static func == (left: Quantization, right: Quantization) -> Bool { left.description == right.description }
}
