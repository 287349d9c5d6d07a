import CKernelReference
import CLlama
import CTensor

extension OwnCases {
    private enum Weights: String, CaseIterable {
        case f32, bf16, q8_0, q4_k

        var type: ggml_type {
            switch self {
            case .f32: GGML_TYPE_F32
            case .bf16: GGML_TYPE_BF16
            case .q8_0: GGML_TYPE_Q8_0
            case .q4_k: GGML_TYPE_Q4_K
            }
        }
    }

    var productCases: [KernelCase] {
        get throws {
            try Weights.allCases.flatMap { kind in
                // An odd number of outputs, and where the type allows it of inputs: tails that fill no vector.
                let inner = kind == .f32 || kind == .bf16 ? 770 : 768, outputs = 97, most = ProductCases.rows.max() ?? 1
                let type = WeightType(raw: kind.type)
                let weights = try QuantizedWeights(type, inner: inner, outputs: outputs, seed: 11)
                let x = Self.numbers(inner * most, seed: 12)
                var product = ckr_product(
                    inner: Int64(inner), outputs: Int64(outputs), rows: Int64(most), block: kind == .f32 || kind == .bf16 ? 1 : 32)
                var wanted = [Double](repeating: 0, count: most * outputs), sizes = wanted
                ckr_multiply(&product, weights.values, x, &wanted, &sizes)
                return [false, true].filter { !$0 || variant.canRound && kind != .f32 }.flatMap { rounds in
                    ProductCases.rows.map { rows in
                        makeCase("product with \(kind.rawValue)\(rounds ? " rounded to bf16" : "")", rows == 1 ? "1 row" : "\(rows) rows") {
                            isSpoilt in
                            let found = try multiply(weights, x, rows: rows, rounds: rounds)
                            // Decoded weights are rounded to bf16 too.
                            let share = ProductReference.roundingOfSums + (rounds && kind != .bf16 ? 0x1p-8 : 0)
                            return Self.judge(found, wanted, sizes: sizes, share: share, isSpoilt: isSpoilt)
                        }
                    }
                }
            }
        }
    }

    private func multiply(_ weights: QuantizedWeights, _ x: [Float], rows: Int, rounds: Bool) throws -> [Float] {
        let type = weights.type.raw, inner = weights.inner
        var product = ct_product()
        (product.inner, product.outputs, product.rows) = (Int32(inner), Int32(weights.outputs), Int32(rows))
        (product.weight_pitch, product.pitch, product.out_pitch) = (ggml_row_size(type, Int64(inner)), inner * 4, weights.outputs * 4)
        product.rounds = rounds ? 1 : 0
        switch type {
        case GGML_TYPE_F32: product.weights = Int32(CT_WEIGHTS_F32)
        case GGML_TYPE_BF16: product.weights = Int32(CT_WEIGHTS_BF16)
        default:
            product.weights = Int32(CT_WEIGHTS_DECODED)
            (product.block, product.block_bytes) = (Int32(ggml_blck_size(type)), Int32(ggml_type_size(type)))
            guard let decode = ggml_get_type_traits(type).pointee.to_float else { throw KernelRefusal(description: "no decoder") }
            product.decode = decode
        }
        var found = [Float](repeating: 0, count: rows * weights.outputs)
        var rounded = [UInt8](repeating: 0, count: rounds ? ct_rounded_bytes(variant.number, Int32(inner), Int32(rows)) : 0)
        if rounds {
            for part in 0..<Self.parts {
                ct_round_rows(variant.number, x, inner * 4, Int32(inner), Int32(rows), &rounded, part, Self.parts)
            }
        }
        weights.bytes.withUnsafeBytes { bytes in
            x.withUnsafeBytes { plain in
                rounded.withUnsafeBytes { rounded in
                    for part in 0..<Self.parts {
                        ct_multiply(
                            variant.number, &product, bytes.baseAddress, nil, rounds ? rounded.baseAddress : plain.baseAddress, &found, 0,
                            Int32(weights.outputs), part,
                            Self.parts)
                    }
                }
            }
        }
        return found
    }
}
