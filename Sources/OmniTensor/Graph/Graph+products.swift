import CLlama
import CTensor

/// Products by a kernel of ours (`CTensor`), which is twice as fast as ggml's where the CPU multiplies pairs of bf16, and almost
/// three times in f32.
extension Graph {
    /// Rows of the other side from which laying weights out anew pays.
    private static var fewestRows: Int { 16 }

    /// Whether ``product(_:_:bias:)`` takes them.
    func canMultiply(_ x: Tensor, _ weight: Tensor) -> Bool {
        guard hasKernels, x.type == .f32, x.isContiguous || x.shape.count <= 2, x.count / x[0] >= Self.fewestRows else { return false }
        return weight.type == .f32 || weight.type == .bf16 && ct_can_round() != 0 && weight[0] % 2 == 0
    }

    /// `weightᵀ · x + bias`: each row of the result is the same numbers whatever other rows there are.
    ///
    /// Nodes are strips of outputs, so that each weight is laid out anew once.
    func product(_ x: Tensor, _ weight: Tensor, bias: Tensor?) throws -> Tensor {
        try require(bias == nil || bias?.shape == [weight[1]] && bias?.type == .f32, "linear", "a bias of \(bias?.label ?? "")")
        let rounds = weight.type == .bf16
        let source = rounds ? try rounded(x) : x
        let (inputs, outputs, rows) = (weight[0], weight[1], x.count / x[0])
        let geometry = ct_product(
            inner: Int32(inputs), outputs: Int32(outputs), rows: Int32(rows), weight_pitch: weight.raw.pointee.nb.1, pitch: source.raw.pointee.nb.1,
            out_pitch: outputs * MemoryLayout<Float>.size, rounds: rounds ? 1 : 0)
        let width = Int(ct_panel_width(geometry.outputs))
        let step = max(8, Self.nodeBudget / (2 * inputs * rows * width)) * width
        let strips = Self.ranges(outputs, by: step).map { range in
            (cost: Self.kernelCost(operations: 2 * inputs * rows * range.count, rounds: rounds), body: Self.multiply(geometry, range, biased: bias != nil))
        }
        return try inStrips([outputs] + x.dimensions[1...], sources: [weight, source] + (bias.map { [$0] } ?? []), strips)
    }

    private static func multiply(_ geometry: ct_product, _ range: Range<Int>, biased: Bool) -> KernelStrip.Body {
        { sources, output, part, parts in
            withUnsafePointer(to: geometry) {
                ct_multiply($0, sources[0], biased ? sources[2]?.assumingMemoryBound(to: Float.self) : nil, sources[1], output.assumingMemoryBound(to: Float.self),
                            Int32(range.lowerBound), Int32(range.count), part, parts)
            }
        }
    }

    /// `x` as bf16, made once however many products take it.
    private func rounded(_ x: Tensor) throws -> Tensor {
        if let known = roundings[x.raw] { return known }
        let copy = try cast(x, .bf16)
        roundings[x.raw] = copy
        return copy
    }
}
