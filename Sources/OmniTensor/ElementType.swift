import CLlama

/// How the elements of a tensor are stored. Quantized types pack rows in blocks.
public struct ElementType: Sendable, Hashable, CustomStringConvertible {
    let raw: ggml_type

    public static let f32 = ElementType(raw: GGML_TYPE_F32)
    public static let f16 = ElementType(raw: GGML_TYPE_F16)
    public static let bf16 = ElementType(raw: GGML_TYPE_BF16)
    public static let i8 = ElementType(raw: GGML_TYPE_I8)
    public static let i16 = ElementType(raw: GGML_TYPE_I16)
    public static let i32 = ElementType(raw: GGML_TYPE_I32)
    public static let i64 = ElementType(raw: GGML_TYPE_I64)
    public static let f64 = ElementType(raw: GGML_TYPE_F64)
    public static let q8_0 = ElementType(raw: GGML_TYPE_Q8_0)
    public static let q5_0 = ElementType(raw: GGML_TYPE_Q5_0)
    public static let q4_0 = ElementType(raw: GGML_TYPE_Q4_0)
    public static let q4_k = ElementType(raw: GGML_TYPE_Q4_K)
    public static let q5_k = ElementType(raw: GGML_TYPE_Q5_K)
    public static let q6_k = ElementType(raw: GGML_TYPE_Q6_K)

    init(raw: ggml_type) { self.raw = raw }

    /// The quantization of that name: `q8_0`, `q5_0`, `q4_0`, `q4_k`, `q5_k`, `q6_k`, or `bf16`, `f16`, `f32`.
    public init?(named name: String) {
        let known: [ElementType] = [.f32, .f16, .bf16, .q8_0, .q5_0, .q4_0, .q4_k, .q5_k, .q6_k]
        guard let found = known.first(where: { $0.description == name.lowercased() }) else { return nil }
        self = found
    }

    /// Elements in one block: 1 unless quantized.
    public var blockSize: Int { Int(ggml_blck_size(raw)) }
    public var isQuantized: Bool { ggml_is_quantized(raw) }
    /// Bytes of a row of `count` elements, a multiple of `blockSize`.
    public func rowBytes(_ count: Int) -> Int { ggml_row_size(raw, Int64(count)) }
    /// Writes elements of a row as f32; nil where there is nothing to decode.
    var decoder: ggml_to_float_t? { ggml_get_type_traits(raw)?.pointee.to_float }
    public var description: String { String(cString: ggml_type_name(raw)).lowercased() }

    public static func == (a: ElementType, b: ElementType) -> Bool { a.raw == b.raw }
    public func hash(into hasher: inout Hasher) { hasher.combine(raw.rawValue) }
}
