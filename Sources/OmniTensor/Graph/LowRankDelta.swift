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

/// What is added to the products with a matrix: `scale · change`.
struct BiasDelta: Sendable {
    /// `[out]`, of which these are the matrix's; nil where all are.
    let change: Tensor
    let outputs: Range<Int>?
    let scale: Float
}

/// The changes that graphs of a request make to weights. They keep their tensors alive.
public struct LowRankDeltas: Sendable {
    // Keys are addresses of weights, never followed.
    private var byWeight: [UInt: [LowRankDelta]] = [:]
    private var biases: [UInt: [BiasDelta]] = [:]

    public init() {}

    public var isEmpty: Bool { byWeight.isEmpty && biases.isEmpty }

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

    /// Adds `scale · bias` to every product with `weight [in, out]`.
    ///
    /// - Parameter outputs: of `bias [out]`, where it is for several matrices together.
    /// - Throws: `TensorError.shape` where the two do not fit.
    public mutating func add(to weight: Tensor, bias: Tensor, outputs: Range<Int>? = nil, scale: Float) throws {
        guard outputs?.count ?? bias.count == weight[1], outputs?.upperBound ?? 0 <= bias.count, weight[2] == 1 else {
            throw TensorError.shape(operation: "adapter", reason: "\(bias.label) for \(weight.label)")
        }
        biases[Self.key(weight), default: []].append(BiasDelta(change: bias, outputs: outputs, scale: scale))
    }

    func biases(of weight: Tensor) -> [BiasDelta] { biases[Self.key(weight)] ?? [] }

    subscript(weight: Tensor) -> [LowRankDelta] { byWeight[Self.key(weight)] ?? [] }

    private static func key(_ weight: Tensor) -> UInt { UInt(bitPattern: weight.raw) }
}
