import CLlama
import CTensor

/// What stands between the products of a transformer whose layers are modulated (arXiv:2212.09748), each in one pass.
extension Graph {
    /// Each row less its mean, over its standard deviation, times `scale`, plus `shift`: `x [features, tokens]`, the others `[features]`.
    public func modulatedNorm(_ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float) throws -> Tensor {
        try require(scale.shape == [x[0]] && shift.shape == [x[0]], "modulatedNorm", "\(scale.label), \(shift.label) for \(x.label)")
        guard let kernels, x.type == .f32 else { return try add(multiply(layerNorm(x, epsilon: epsilon), scale), shift) }
        let (source, features) = (try contiguous(x), Int32(x[0]))
        return try inStrips(
            x.dimensions, sources: [source, scale, shift], work: .elementwise, units: x.count / x[0], operations: Double(x[0])
        ) { rows in
            { sources, output, part, parts in
                ct_modulate(
                    kernels.index, features, epsilon, sources.floats(0), sources.floats(1), sources.floats(2),
                    output.assumingMemoryBound(to: Float.self), Int64(rows.lowerBound), Int64(rows.count), part, parts)
            }
        }
    }

    /// `x + gate · y`: rows of `[features, tokens]`, `gate [features]`.
    public func addGated(_ x: Tensor, gate: Tensor, _ y: Tensor) throws -> Tensor {
        try require(x.dimensions == y.dimensions && gate.shape == [x[0]], "addGated", "\(gate.label), \(y.label) for \(x.label)")
        guard let kernels, x.type == .f32, y.type == .f32 else { return try add(x, multiply(y, gate)) }
        let (first, second, features) = (try contiguous(x), try contiguous(y), Int32(x[0]))
        return try inStrips(
            x.dimensions, sources: [first, gate, second], work: .elementwise, units: x.count / x[0], operations: Double(x[0])
        ) { rows in
            { sources, output, part, parts in
                ct_add_gated(
                    kernels.index, features, sources.floats(0), sources.floats(1), sources.floats(2),
                    output.assumingMemoryBound(to: Float.self),
                    Int64(rows.lowerBound), Int64(rows.count), part, parts)
            }
        }
    }

    /// ``gelu(_:precision:)``, exactly, by a kernel of ours.
    func activatedGELU(_ x: Tensor, _ kernels: KernelVariant) throws -> Tensor {
        let row = x[0]
        return try inStrips(x.dimensions, sources: [x], work: .elementwise, units: x.count / row, operations: 2 * Double(row)) { rows in
            { sources, output, part, parts in
                ct_activate_gelu(
                    kernels.index, sources.floats(0), output.assumingMemoryBound(to: Float.self), Int64(rows.lowerBound * row),
                    Int64(rows.count * row), part, parts)
            }
        }
    }
}
