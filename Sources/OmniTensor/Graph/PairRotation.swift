import CLlama
import Foundation

/// How neighbouring pairs of the first features of each token turn (arXiv:2104.09864): made once for all layers of a graph.
public struct PairRotation {
    /// `[2 · pairs, tokens]`: cosine and sine of each pair.
    fileprivate let turns: Tensor
    fileprivate let positions, divisors: Tensor

    /// - Parameters:
    ///   - positions: of each token.
    ///   - divisors: of each pair: position over divisor is its angle, in radians.
    public init(_ graph: Graph, positions: [Int32], divisors: [Float]) throws {
        self.positions = try graph.input([positions.count], integers: positions)
        self.divisors = try graph.input([divisors.count], divisors)
        turns = try graph.input(
            [2 * divisors.count, positions.count],
            positions.flatMap { position in
                divisors.flatMap { divisor in
                    let angle = Float(position) / divisor
                    return [cos(angle), sin(angle)]
                }
            })
    }
}

extension Graph {
    /// Turns the pairs of the first features against each other; the other features stay as they are: `x [features, tokens]`.
    public func rotatePairs(_ x: Tensor, _ rotation: PairRotation) throws -> Tensor {
        let (features, tokens, turning) = (x[0], x[1], rotation.turns[0])
        try require(turning <= features && rotation.turns[1] == tokens && x.count == features * tokens, "rotatePairs", x.label)
        let source = try contiguous(x)
        guard kernels != nil else { return try composed(source, rotation, turning) }
        // In one strip: it is bound by memory.
        return try inStrips(
            [features, tokens], sources: [source, rotation.turns], work: .elementwise, units: 1, operations: Double(x.count)
        ) { _ in
            { sources, output, part, parts in
                guard let x = sources.floats(0), let turns = sources.floats(1) else { return }
                let out = output.assumingMemoryBound(to: Float.self)
                for token in tokens * Int(part) / Int(parts)..<tokens * (Int(part) + 1) / Int(parts) {
                    let (from, to, turn) = (x + token * features, out + token * features, turns + token * turning)
                    (to + turning).update(from: from + turning, count: features - turning)
                    for pair in stride(from: 0, to: turning, by: 2) {
                        to[pair] = from[pair] * turn[pair] - from[pair + 1] * turn[pair + 1]
                        to[pair + 1] = from[pair] * turn[pair + 1] + from[pair + 1] * turn[pair]
                    }
                }
            }
        }
    }

    /// Of ggml's operations. Its rotation wants divisors for all features that it sees.
    private func composed(_ x: Tensor, _ rotation: PairRotation, _ turning: Int) throws -> Tensor {
        let first = try reshape(slice(x, axis: 0, 0..<turning), [turning, 1, x[1]])
        let turned = try node {
            ggml_rope_ext(
                context, first.raw, rotation.positions.raw, rotation.divisors.raw, Int32(turning), Int32(GGML_ROPE_TYPE_NORMAL), 0, 1, 1, 0,
                1,
                32, 1)
        }
        let whole = try reshape(turned, [turning, x[1]])
        return turning == x[0] ? whole : try concat([whole, contiguous(slice(x, axis: 0, turning..<x[0]))], axis: 0)
    }
}
