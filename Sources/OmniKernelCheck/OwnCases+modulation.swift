import CKernelReference
import CTensor

extension OwnCases {
    var modulationCases: [KernelCase] {
        [(64, 7), (83, 20)].map { features, rows in
            makeCase("modulation", "\(rows) rows of \(features)") { isSpoilt in
                let x = Self.numbers(features * rows, seed: 61), y = Self.numbers(features * rows, seed: 62)
                let scale = Self.numbers(features, seed: 63), shift = Self.numbers(features, seed: 64),
                    gate = Self.numbers(features, seed: 65)
                var wanted = [Double](repeating: 0, count: x.count), sizes = wanted
                ckr_modulate(Int64(rows), Int64(features), 1e-6, x, scale, shift, gate, y, &wanted, &sizes)
                var normal = [Float](repeating: 0, count: x.count), gated = normal, found = normal
                for part in 0..<Self.parts {
                    ct_modulate(variant.number, Int32(features), 1e-6, x, scale, shift, &normal, 0, Int64(rows), part, Self.parts)
                }
                for part in 0..<Self.parts {
                    ct_add_gated(variant.number, Int32(features), normal, gate, y, &gated, 0, Int64(rows), part, Self.parts)
                }
                for part in 0..<Self.parts { ct_activate_gelu(variant.number, gated, &found, 0, Int64(x.count), part, Self.parts) }
                return Self.judge(found, wanted, sizes: sizes, share: 2e-5, isSpoilt: isSpoilt)
            }
        }
    }
}
