import OmniTensor

/// What lies where in the tokens of a batch. A sample's sequence is its text, then its picture, then the references; samples lie one after
/// the other.
struct Flux2KleinSequence: Sendable {
    /// Columns and rows of patches.
    struct Area: Sendable, Equatable {
        var columns, rows: Int
        var count: Int { columns * rows }
    }

    let picture: Area
    let references: [Area]
    /// Tokens of each sample's text.
    let texts: [Int]

    /// Tokens of a sample's picture and references.
    var seen: Int { references.reduce(picture.count) { $0 + $1.count } }
    /// Tokens of each sample.
    var lengths: [Int] { texts.map { $0 + seen } }

    /// Positions along time, row, column and place in the text, `[tokens]` each: the picture stands at time 0 and the references at 10, 20
    /// and so on; all texts begin at 0.
    var positions: [[Int32]] {
        var axes = [[Int32]](repeating: [], count: 4)
        func add(_ time: Int, _ row: Int, _ column: Int, _ place: Int) {
            for (axis, value) in [time, row, column, place].enumerated() { axes[axis].append(Int32(value)) }
        }
        for text in texts {
            for place in 0..<text { add(0, 0, 0, place) }
            for (index, area) in ([picture] + references).enumerated() {
                for token in 0..<area.count { add(10 * index, token / area.columns, token % area.columns, 0) }
            }
        }
        return axes
    }

    /// Both streams as one, along `axis`.
    func joined(_ graph: Graph, text: Tensor, picture: Tensor, axis: Int) throws -> Tensor {
        var start = 0
        return try graph.concat(
            texts.enumerated().flatMap { sample, tokens in
                defer { start += tokens }
                return [
                    try graph.slice(text, axis: axis, start..<start + tokens),
                    try graph.slice(picture, axis: axis, sample * seen..<(sample + 1) * seen),
                ]
            }, axis: axis)
    }

    /// The reverse, of `[features, tokens]`.
    func split(_ graph: Graph, _ joint: Tensor) throws -> (text: Tensor, picture: Tensor) {
        try (parts(graph, joint) { 0..<$0 }, parts(graph, joint) { $0..<$0 + seen })
    }

    /// The pictures alone, without references, of `[features, tokens]`.
    func pictures(_ graph: Graph, _ joint: Tensor) throws -> Tensor { try parts(graph, joint) { $0..<$0 + picture.count } }

    /// A part of each sample, told by the tokens of its text.
    private func parts(_ graph: Graph, _ joint: Tensor, _ part: (Int) -> Range<Int>) throws -> Tensor {
        var start = 0
        let all = try texts.map { tokens in
            defer { start += tokens + seen }
            let range = part(tokens)
            return try graph.slice(joint, axis: 1, start + range.lowerBound..<start + range.upperBound)
        }
        return try graph.contiguous(graph.concat(all, axis: 1))
    }
}
