import Foundation
import OmniTensor

/// Rotary positions of a sequence in a graph (arXiv:2104.09864), along up to four axes.
struct Rotation {
    private let positions: Tensor
    private let sections: [Int]
    private let divisors: Tensor

    /// - Parameters:
    ///   - positions: for each axis `[tokens]`; asked for when the graph runs, not when it is only measured.
    ///   - sections: pairs of features that turn with each axis; together half of a head.
    ///   - divisors: for each pair: position over divisor is its angle, in radians.
    init(_ graph: Graph, tokens: Int, positions: @escaping @autoclosure () -> [[Int32]], sections: [Int], divisors: [Float]) throws {
        let missing = 4 - sections.count
        let zeros = missing * tokens
        self.positions = try graph.input([4 * tokens], integers: positions().flatMap { $0 } + [Int32](repeating: 0, count: zeros))
        self.sections = sections + [Int](repeating: 0, count: missing)
        self.divisors = try graph.input([divisors.count], divisors)
    }

    /// `x [head, heads, tokens]`, rotated.
    func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        try graph.applyRoPE(x, positions: positions, sections: sections, divisors: divisors)
    }

    /// Divisors for axes of `features` each: pair `j` of an axis has `theta^(2j/features)`.
    static func divisors(_ features: [Int], theta: Double) -> [Float] {
        features.flatMap { features in (0..<features / 2).map { Float(pow(theta, Double(2 * $0) / Double(features))) } }
    }

    /// Where a checkpoint has the features of a head as neighbouring pairs (complex numbers), ggml's rotation wants first all real, then
    /// all imaginary parts. Queries and keys are both reordered, so their products stay the same. Nil for outputs that are not heads.
    static func halves(_ outputs: Int, head: Int) -> [Int]? {
        guard outputs % head == 0 else { return nil }
        return (0..<outputs).map { output in
            let (start, place) = (output / head * head, output % head)
            return start + (place < head / 2 ? 2 * place : 2 * (place - head / 2) + 1)
        }
    }
}
