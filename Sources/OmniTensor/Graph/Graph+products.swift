import CLlama
import CTensor

/// Products by a kernel of ours (`CTensor`): in f32 and in bf16 1.6 times as fast as ggml's on AVX2 (Zen 3), up to three times with
/// AVX-512 (Zen 5).
extension Graph {
    /// Rows of the other side from which laying quantized weights out anew pays.
    private static var fewestRows: Int { 16 }

    /// Whether ``product(_:_:bias:)`` takes them.
    func canMultiply(_ x: Tensor, _ weight: Tensor) -> Bool {
        let rowsLie = x.raw.pointee.nb.0 == MemoryLayout<Float>.size && (x.isContiguous || x.shape.count <= 2)
        guard let kernels, x.type == .f32, rowsLie else { return false }
        let rows = x.count / x[0]
        switch weight.type {
        // A prompt or a small picture alone may be a few rows, and a batch of them many: the kernel must not depend on that. What is one
        // row, such as the time, is so in every batch; ggml's product of it is as fast as memory is.
        case .f32, .bf16: return rows > 1
        case _ where rows < Self.fewestRows: return false
        // ggml's products of quantized weights are of whole numbers. Where bf16 is not fast, only what is decoded fast gains (Zen 3, a
        // thread, 288 rows, GFLOPS of ours and ggml's: Q8_0 82 and 61, Q4_0 77 and 49, Q4_K 69 and 73, Q6_K 67 and 67).
        case .q8_0, .q4_0: return kernels.rounds || x.count / x[0] >= 4 * Self.fewestRows
        default:
            return kernels.rounds && weight.type.isQuantized && weight.type.decoder != nil && weight.type.blockSize <= Int(CT_MOST_BLOCK)
        }
    }

    /// Whether the product with `weight` is one of bf16, so that the other side is rounded.
    private func rounds(_ weight: Tensor) -> Bool { weight.type != .f32 && kernels?.rounds == true && weight[0] % 2 == 0 }

    /// `weightᵀ · x + bias`: each row of the result is the same numbers whatever other rows there are.
    ///
    /// Nodes are strips of outputs, so that each weight is laid out anew, or decoded, once.
    func product(_ x: Tensor, _ weight: Tensor, bias: Tensor?) throws -> Tensor {
        guard let kernels else { throw TensorError.shape(operation: "linear", reason: "no kernels on this device") }
        try require(bias == nil || bias?.shape == [weight[1]] && bias?.type == .f32, "linear", "a bias of \(bias?.label ?? "")")
        let rounds = rounds(weight), type = weight.type
        let source = rounds ? try rounded(x, kernels) : x
        let (inputs, outputs, rows) = (weight[0], weight[1], x.count / x[0])
        var geometry = ct_product()
        (geometry.inner, geometry.outputs, geometry.rows, geometry.rounds) = (Int32(inputs), Int32(outputs), Int32(rows), rounds ? 1 : 0)
        (geometry.weight_pitch, geometry.pitch, geometry.out_pitch) = (
            weight.raw.pointee.nb.1, x.raw.pointee.nb.1, outputs * MemoryLayout<Float>.size
        )
        geometry.weights = Int32(type == .f32 ? CT_WEIGHTS_F32 : type == .bf16 ? CT_WEIGHTS_BF16 : CT_WEIGHTS_DECODED)
        (geometry.block, geometry.block_bytes) = (Int32(type.blockSize), Int32(type.rowBytes(type.blockSize)))
        let work: KernelWork = type.isQuantized ? .decodedProduct : rounds ? .roundedProduct : .product
        let width = Int(ct_panel_width(kernels.index, geometry.outputs, geometry.rounds))
        // Eight panels, so that each thread has its own: with few rows, laying one out for both would cost.
        let granularity = rows < 512 ? 8 * width : width
        return try inStrips(
            [outputs] + x.dimensions[1...], sources: [weight, source] + (bias.map { [$0] } ?? []), work: work, units: outputs,
            granularity: granularity, operations: 2 * Double(inputs * rows)
        ) { Self.multiply(geometry, kernels, $0, biased: bias != nil, type: type) }
    }

    private static func multiply(_ geometry: ct_product, _ kernels: KernelVariant, _ range: Range<Int>, biased: Bool, type: ElementType)
        -> KernelStrip.Body
    {
        { sources, output, part, parts in
            var product = geometry
            product.decode = type.decoder
            ct_multiply(
                kernels.index, &product, sources[0], biased ? sources.floats(2) : nil, sources[1],
                output.assumingMemoryBound(to: Float.self),
                Int32(range.lowerBound), Int32(range.count), part, parts)
        }
    }

    /// `x` in bf16 as the kernels want it, made once however many products take it.
    private func rounded(_ x: Tensor, _ kernels: KernelVariant) throws -> Tensor {
        if let known = roundings[x.raw] { return Tensor(known, owner: self) }
        let (inner, rows, pitch) = (Int32(x[0]), Int32(x.count / x[0]), x.raw.pointee.nb.1)
        let count = ct_rounded_bytes(kernels.index, inner, rows) / MemoryLayout<UInt16>.size
        // In one strip: it is bound by memory.
        let copy = try inStrips([count], type: .bf16, sources: [x], work: .elementwise, units: 1, operations: Double(x.count)) { _ in
            { sources, output, part, parts in ct_round_rows(kernels.index, sources[0], pitch, inner, rows, output, part, parts) }
        }
        roundings[x.raw] = copy.raw
        return copy
    }
}
