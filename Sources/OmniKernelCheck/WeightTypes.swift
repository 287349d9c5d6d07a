import CLlama
import OmniDevices

/// The types of weights that libllama loads.
struct WeightType: Hashable {
    let raw: ggml_type
    var name: String { String(cString: ggml_type_name(raw)).lowercased() }

    /// What kernels of ggml make of x for weights of this type.
    var form: Activations.Form {
        switch CPUFunctions.traits(raw).vec_dot_type {
        case GGML_TYPE_F16: .f16
        case GGML_TYPE_BF16: .bf16
        case GGML_TYPE_Q8_0: .eightBits(block: 32, sums: false)
        case GGML_TYPE_Q8_1: .eightBits(block: 32, sums: true)
        case GGML_TYPE_Q8_K: .eightBits(block: 256, sums: false)
        default: .f32
        }
    }

    static func == (a: WeightType, b: WeightType) -> Bool { a.raw == b.raw }
    func hash(into hasher: inout Hasher) { hasher.combine(raw.rawValue) }
}

enum WeightTypes {
    /// Types that hold something else than weights: forms of x, whole numbers, doubles.
    private static let others: Set<UInt32> = Set(
        [GGML_TYPE_Q8_1, GGML_TYPE_Q8_K, GGML_TYPE_I8, GGML_TYPE_I16, GGML_TYPE_I32, GGML_TYPE_I64, GGML_TYPE_F64].map(\.rawValue))

    /// All that this ggml has: a type that a later one adds is checked without a line here.
    static let all: [WeightType] = (0..<GGML_TYPE_COUNT.rawValue).compactMap { number in
        let type = ggml_type(rawValue: number)
        // Numbers of removed types have no block.
        guard !others.contains(number), ggml_blck_size(type) > 0, CPUFunctions.traits(type).vec_dot != nil else { return nil }
        return WeightType(raw: type)
    }
}
