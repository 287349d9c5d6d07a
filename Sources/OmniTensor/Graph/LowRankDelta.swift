import CLlama

/// A low-rank change of a matrix, added when it is used and never merged (LoRA, arXiv:2106.09685): `scale · up · down`.
public struct LowRankDelta: Sendable {
    /// `[in, rank]`.
    let down: Tensor
    /// `[rank, out]`, of which these outputs are the matrix's; nil where all are.
    let up: Tensor
    let outputs: Range<Int>?
    let scale: Float
}

/// The changes that graphs of a request make to weights. They keep their tensors alive.
public struct LowRankDeltas: Sendable {
    // Keys are addresses of weights, never followed.
    private var byWeight: [UInt: [LowRankDelta]] = [:]

    public init() {}

    public var isEmpty: Bool { byWeight.isEmpty }

    /// Adds `scale · up · down` to `weight [in, out]` wherever it is used.
    ///
    /// - Parameter outputs: of `up`, where it is for several matrices together.
    /// - Throws: `TensorError.shape` where the three do not fit.
    public mutating func add(to weight: Tensor, down: Tensor, up: Tensor, outputs: Range<Int>? = nil, scale: Float) throws {
        guard down[0] == weight[0], outputs?.count ?? up[1] == weight[1], outputs?.upperBound ?? 0 <= up[1], down[1] == up[0],
            weight[2] == 1
        else {
            throw TensorError.shape(operation: "adapter", reason: "\(down.label) and \(up.label) for \(weight.label)")
        }
        byWeight[Self.key(weight), default: []].append(LowRankDelta(down: down, up: up, outputs: outputs, scale: scale))
    }

    subscript(weight: Tensor) -> [LowRankDelta] { byWeight[Self.key(weight)] ?? [] }

    private static func key(_ weight: Tensor) -> UInt { UInt(bitPattern: weight.raw) }
}
