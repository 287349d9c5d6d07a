import CLlama
import CTensor

/// Layers over pictures `[channels, width, height]`. With channels fastest a pixel is one piece of memory, and scales for each
/// channel repeat along whole rows.
extension Graph {
    /// Channels of `x [channels, width, height]` normalized in groups over all pixels (arXiv:1803.08494), then scaled and
    /// shifted.
    ///
    /// - Parameters:
    ///   - activated: whether the result goes through ``silu(_:)``.
    ///   - type: of the result, f32 or bf16.
    public func groupNorm(
        _ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, activated: Bool = false, type: ElementType = .f32
    ) throws -> Tensor {
        let (channels, pixels) = (x[0], x[1] * x[2])
        try require(groups > 0 && channels % groups == 0 && x[3] == 1, "groupNorm", "\(groups) groups of \(x.label)")
        try require(weight.shape == [channels] && bias.shape == [channels], "groupNorm", "\(weight.label), \(bias.label) for \(x.label)")
        guard let kernels, x.type == .f32, channels / groups <= Int(CT_MOST_CHANNELS) else {
            let normal = try composed(x, groups: groups, weight: weight, bias: bias, epsilon: epsilon)
            return try cast(activated ? silu(normal) : normal, type)
        }
        let source = try contiguous(x)
        let geometry = ct_group_norm(
            channels: Int32(channels), groups: Int32(groups), pixels: Int64(pixels), epsilon: epsilon, activates: activated ? 1 : 0,
            rounds: type == .f32 ? 0 : 1)
        let statistics = try inStrips([2, groups], sources: [source], work: .elementwise, units: 1, operations: Double(x.count)) { _ in
            Self.measure(geometry, kernels)
        }
        return try inStrips(
            [channels, x[1], x[2]], type: type, sources: [source, statistics, weight, bias], work: .elementwise, units: pixels,
            operations: Double(channels)
        ) { Self.normalize(geometry, kernels, $0) }
    }

    private static func measure(_ geometry: ct_group_norm, _ kernels: KernelVariant) -> KernelStrip.Body {
        { sources, output, part, parts in
            withUnsafePointer(to: geometry) {
                ct_measure_groups(kernels.index, $0, sources.floats(0), output.assumingMemoryBound(to: Float.self), part, parts)
            }
        }
    }

    private static func normalize(_ geometry: ct_group_norm, _ kernels: KernelVariant, _ pixels: Range<Int>) -> KernelStrip.Body {
        { sources, output, part, parts in
            withUnsafePointer(to: geometry) {
                ct_normalize_groups(
                    kernels.index, $0, sources.floats(0), sources.floats(1), sources.floats(2), sources.floats(3), output,
                    Int64(pixels.lowerBound), Int64(pixels.count), part, parts)
            }
        }
    }

    /// Of ggml's operations.
    private func composed(_ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) throws -> Tensor {
        let (channels, pixels) = (x[0], x[1] * x[2])
        let size = channels / groups
        // Which channel is in which group, as a matrix: a product with it sums over groups with all threads.
        let members = try input([channels, groups], (0..<groups).flatMap { group in (0..<channels).map { $0 / size == group ? 1 : 0 } })
        func means(_ values: Tensor) throws -> Tensor {
            let sums = try node { ggml_mul_mat(context, members.raw, values.raw) }
            let turned = try contiguous(permute(sums, [1, 0, 2, 3]))
            let total = try node { ggml_sum_rows(context, turned.raw) }
            return try scale(total, by: 1 / Float(size * pixels))
        }
        func spread(_ values: Tensor) throws -> Tensor { try reshape(self.repeat(values, [size, groups]), [channels]) }
        let flat = try reshape(x, [channels, pixels])
        let mean = try spread(means(flat))
        let centred = try node { ggml_sub(context, flat.raw, mean.raw) }
        let variance = try means(node { ggml_sqr(context, centred.raw) })
        let deviation = try spread(node { try ggml_sqrt(context, scale(variance, plus: epsilon).raw) })
        let factor = try node { ggml_div(context, weight.raw, deviation.raw) }
        return try reshape(add(multiply(centred, factor), bias), [channels, x[1], x[2]])
    }
}
