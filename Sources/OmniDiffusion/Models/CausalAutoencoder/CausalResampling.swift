import OmniTensor

/// Twice the width and height, and twice the frames where it has a convolution over time; the video's first frame stays one.
struct CausalUpsample: Sendable {
    private let picture: CausalConvolution3D
    private let time: CausalConvolution3D?

    init(_ weights: Weights, _ inputs: Int, _ outputs: Int, doublesFrames: Bool) throws {
        picture = try CausalConvolution3D(weights.at("resample.1"), inputs, outputs, ConvolutionWindow(size: 3, padding: 1, doubles: true))
        time =
            doublesFrames
            ? try CausalConvolution3D(weights.at("time_conv"), inputs, 2 * inputs, ConvolutionWindow(depth: 3, before: 2)) : nil
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ memory: TemporalCache) throws -> Tensor {
        guard let time, !memory.isFirst else { return try picture(graph, x, memory) }
        // The first half of the channels are even frames, the second half odd ones.
        let both = try time(graph, x, memory)
        let halves = try [0..<x[0], x[0]..<2 * x[0]].map { try graph.slice(both, axis: 0, $0) }
        return try picture(graph, graph.interleaveFrames(halves), memory)
    }
}

/// Half the width and height, and half the frames where it has a convolution over time; the video's first frame stays one.
struct CausalDownsample: Sendable {
    private let picture: CausalConvolution3D
    private let time: CausalConvolution3D?

    init(_ weights: Weights, _ channels: Int, halvesFrames: Bool) throws {
        // One row and one column of zeros, at the far ends only.
        picture = try CausalConvolution3D(
            weights.at("resample.1"), channels, channels, ConvolutionWindow(size: 3, stride: 2, padding: 0, trailing: 1))
        time =
            halvesFrames
            ? try CausalConvolution3D(weights.at("time_conv"), channels, channels, ConvolutionWindow(depth: 3, timeStride: 2, before: 1))
            : nil
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ memory: TemporalCache) throws -> Tensor {
        let smaller = try picture(graph, x, memory)
        guard let time else { return smaller }
        guard memory.isFirst else { return try time(graph, smaller, memory) }
        try time.remember(graph, smaller, memory)
        return smaller
    }
}

/// How many neighbouring pixels and frames become channels, or come from them, without any weights.
struct CausalShortcut: Sendable {
    let inputs, outputs: Int
    /// Pixels along both sides, frames.
    let side, frames: Int

    private var factor: Int { side * side * frames }

    /// Throws where groups of channels would lie across pixels.
    init(_ inputs: Int, _ outputs: Int, side: Int, frames: Int, shrinks: Bool) throws {
        (self.inputs, self.outputs, self.side, self.frames) = (inputs, outputs, side, frames)
        let (wide, narrow) = shrinks ? (inputs * factor, outputs) : (outputs * factor, inputs)
        let size = wide / narrow
        guard wide % narrow == 0, size % factor == 0 || factor % size == 0 else {
            throw DiffusionError.unsupported("an autoencoder with a shortcut from \(inputs) to \(outputs) channels over \(factor) pixels")
        }
    }

    /// All places of a block, in the order of their channels: frame, row, column.
    private var places: [(frame: Int, row: Int, column: Int)] {
        (0..<frames).flatMap { frame in (0..<side).flatMap { row in (0..<side).map { (frame, row, $0) } } }
    }

    /// Blocks of pixels become channels, and groups of these their mean (diffusers `AvgDown3D`).
    func shrink(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        let x = try graph.padFrames(x, before: (frames - x[3] % frames) % frames)
        let group = inputs * factor / outputs
        let pixels = try places.map { place in
            let frame = try frames > 1 ? graph.stridedFrames(frames, from: place.frame, of: x) : x
            return try side > 1 ? graph.stridedSpatially(frame, column: place.column, row: place.row) : frame
        }
        // Places that are in one group, then whole channels that are.
        let together = min(group, factor)
        let means = try stride(from: 0, to: factor, by: together).map { first in
            let sum = try pixels[first + 1..<first + together].reduce(graph.contiguous(pixels[first])) { try graph.add($0, $1) }
            return together > 1 ? try graph.scale(sum, by: 1 / Float(together)) : sum
        }
        let shape = means[0].dimensions
        let channels = try graph.concat(means.map { try graph.reshape($0, [1, $0.count]) }, axis: 0)
        return try graph.averagePool(graph.reshape(channels, [means.count * shape[0], shape[1], shape[2], shape[3]]), group / together)
    }

    /// Channels become blocks of pixels (diffusers `DupUp3D`). Of the video's first frame only the last comes.
    func grow(_ graph: Graph, _ x: Tensor, isFirst: Bool) throws -> Tensor {
        let repeats = outputs * factor / inputs
        // A channel is used for `repeats` places; several make up the places of one output, or several outputs share one.
        let variants = max(1, factor / repeats)
        let sources = try (0..<variants).map { variant in
            try variants > 1 ? graph.stridedChannels(variants, from: variant, of: x) : Self.repeated(graph, x, max(1, repeats / factor))
        }
        func source(_ frame: Int, _ row: Int, _ column: Int) -> Int { ((frame * side + row) * side + column) * variants / factor }
        let (columns, rows, count) = (x[1], x[2], x[3])
        func frame(_ index: Int) throws -> Tensor {
            let lines = try (0..<side).map { row in
                let pixels = (0..<side).map { source(index, row, $0) }
                return (pixels, try Self.interleaved(graph, pixels.map { sources[$0] }, same: Set(pixels).count == 1, inner: outputs))
            }
            let same = lines.allSatisfy { $0.0 == lines[0].0 }
            let picture = try Self.interleaved(graph, lines.map(\.1), same: same, inner: outputs * columns * side)
            return try graph.reshape(picture, [outputs, columns * side, rows * side, count])
        }
        if isFirst { return try frame(frames - 1) }
        return try graph.interleaveFrames((0..<frames).map(frame))
    }

    /// Each channel `count` times.
    private static func repeated(_ graph: Graph, _ x: Tensor, _ count: Int) throws -> Tensor {
        if count == 1 { return x }
        let single = try graph.reshape(x, [1, x.count])
        return try graph.reshape(graph.repeat(single, [count, x.count]), [count * x[0], x[1], x[2], x[3]])
    }

    /// Runs of `inner` values from each part in turn.
    private static func interleaved(_ graph: Graph, _ parts: [Tensor], same: Bool, inner: Int) throws -> Tensor {
        let count = parts[0].count / inner
        let first = try graph.reshape(parts[0], [inner, 1, count])
        if same { return try graph.repeat(first, [inner, parts.count, count]) }
        return try graph.concat(parts.map { try graph.reshape($0, [inner, 1, count]) }, axis: 1)
    }
}
