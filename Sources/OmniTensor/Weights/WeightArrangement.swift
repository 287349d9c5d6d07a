/// How a tensor's values are laid out anew while it is loaded.
enum WeightArrangement: Sendable, Equatable {
    case asIs
    /// Output `i` is the file's output `order[i]`.
    case outputs([Int])
    /// A kernel `[kw, kh, in, out]` becomes `[in · kw · kh, out]`: what ``Graph/conv2d(_:kernel:bias:size:stride:padding:)`` takes.
    case channelsFirst

    func shape(_ shape: [Int]) -> [Int] {
        self == .channelsFirst ? [shape[2] * shape[0] * shape[1], shape[3]] : shape
    }

    /// `values` of a tensor of `shape` under the new layout.
    func apply(_ values: [Float], _ shape: [Int]) -> [Float] {
        switch self {
        case .asIs: return values
        case .outputs(let order):
            let length = values.count / order.count
            return order.flatMap { values[$0 * length..<($0 + 1) * length] }
        case .channelsFirst:
            let (width, height, inputs, outputs) = (shape[0], shape[1], shape[2], shape[3])
            var result: [Float] = []
            result.reserveCapacity(values.count)
            for output in 0..<outputs {
                for y in 0..<height {
                    for x in 0..<width { for input in 0..<inputs { result.append(values[((output * inputs + input) * height + y) * width + x]) } }
                }
            }
            return result
        }
    }
}
