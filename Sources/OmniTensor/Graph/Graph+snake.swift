import CLlama
import CTensor

extension Graph {
    /// `y + magnitude · sin²(frequency · y)` at twice the rate of `x`, and back (SnakeBeta between filters; BigVGAN, arXiv:2206.04658). Beyond
    /// its ends the signal goes on as it ends.
    ///
    /// - Parameters:
    ///   - x: `[channels, positions]`.
    ///   - frequency: `[channels]`; `magnitude` too.
    ///   - type: of the result, f32 or bf16.
    public func snake(_ x: Tensor, frequency: Tensor, magnitude: Tensor, filter: SnakeFilter, type: ElementType = .f32) throws -> Tensor {
        let (channels, positions) = (x[0], x[1])
        try require(
            x.dimensions[2...] == [1, 1] && x.type == .f32 && frequency.shape == [channels] && magnitude.shape == [channels], "snake",
            "\(frequency.label), \(magnitude.label) for \(x.label)")
        guard let kernels else { return try cast(composedSnake(x, frequency, magnitude, filter), type) }
        let source = try contiguous(x)
        var geometry = ct_snake()
        (geometry.channels, geometry.length, geometry.rounds) = (Int32(channels), Int64(positions), type == .f32 ? 0 : 1)
        withUnsafeMutableBytes(of: &geometry.filter) { target in filter.taps.withUnsafeBytes { target.copyMemory(from: $0) } }
        return try inStrips(
            [channels, positions], type: type, sources: [source, frequency, magnitude], work: .activation, units: positions,
            granularity: 64, operations: Double(channels)
        ) { Self.activate(geometry, kernels, $0) }
    }

    private static func activate(_ geometry: ct_snake, _ kernels: KernelVariant, _ positions: Range<Int>) -> KernelStrip.Body {
        { sources, output, part, parts in
            withUnsafePointer(to: geometry) {
                ct_activate_snake(
                    kernels.index, $0, sources.floats(0), sources.floats(1), sources.floats(2), output, Int64(positions.lowerBound),
                    Int64(positions.count), part, parts)
            }
        }
    }

    /// Of ggml's operations.
    private func composedSnake(_ x: Tensor, _ frequency: Tensor, _ magnitude: Tensor, _ filter: SnakeFilter) throws -> Tensor {
        let (channels, positions) = (x[0], x[1])
        /// Σ taps[k] · x[first + step · k] for each position.
        func filtered(_ x: Tensor, _ taps: [Float], stride: Int) throws -> Tensor {
            let rows = try reshape(x, [channels * stride, x[1] / stride])
            let terms = try taps.enumerated().map { place, tap in
                let (row, phase) = (place / stride, place % stride)
                let part = try slice(slice(rows, axis: 1, row..<row + positions), axis: 0, phase * channels..<(phase + 1) * channels)
                return try scale(part, by: tap)
            }
            return try terms.dropFirst().reduce(terms[0]) { try add($0, $1) }
        }
        let taps = filter.taps
        let padded = try padLine(x, before: 3, after: 3, .replicate)
        let even = try filtered(padded, [11, 9, 7, 5, 3, 1].map { 2 * taps[$0] }, stride: 1)
        let odd = try filtered(slice(padded, axis: 1, 1..<positions + 6), [10, 8, 6, 4, 2, 0].map { 2 * taps[$0] }, stride: 1)
        // Side by side they follow each other.
        let wave = try reshape(concat([even, odd], axis: 0), [channels, 2 * positions])
        let sine = try sin(multiply(wave, frequency))
        let active = try add(wave, multiply(multiply(sine, sine), magnitude))
        return try filtered(padLine(active, before: 5, after: 7, .replicate), taps, stride: 2)
    }
}
