import CTensor

/// How a tensor's values are laid out anew while it is loaded.
enum WeightArrangement: Sendable, Equatable {
    case asIs
    /// Output `i` is the file's output `order[i]`.
    case outputs([Int])
    /// A kernel `[…, in, out]` as ``Graph/conv3d(_:kernel:bias:window:past:)`` takes it: `[panel · group, in / group · taps · panels]`,
    /// with a group of two inputs where it is rounded to bf16, one where not.
    case panels(taps: Int, inputs: Int, outputs: Int, group: Int)
    /// `[1, …, 1, n]` becomes `[n]`.
    case vector

    func shape(_ shape: [Int]) -> [Int] {
        switch self {
        case .asIs, .outputs: return shape
        case .panels(let taps, let inputs, let outputs, let group): return Self.panelShape(taps: taps, inputs: inputs, outputs: outputs, group: group)
        case .vector: return [shape[shape.count - 1]]
        }
    }

    static func panelShape(taps: Int, inputs: Int, outputs: Int, group: Int) -> [Int] {
        let width = Int(ct_panel_width(Int32(outputs)))
        return [width * group, inputs / group * taps * ((outputs + width - 1) / width)]
    }

    /// Whether values change their places, not only the tensor its shape.
    var movesValues: Bool {
        switch self {
        case .asIs, .vector: false
        case .panels, .outputs: true
        }
    }

    /// Values under the new layout of `count` values of a tensor of `shape`.
    func count(_ count: Int, _ shape: [Int]) -> Int { movesValues ? self.shape(shape).reduce(1, *) : count }

    /// Writes the values of a tensor, `bytes` in all and `width` each, under the new layout.
    func apply(_ values: UnsafeRawPointer, bytes: Int, width: Int, into target: UnsafeMutableRawPointer) {
        switch self {
        case .asIs, .vector: target.copyMemory(from: values, byteCount: bytes)
        case .panels(let taps, let inputs, let outputs, let group):
            ct_pack_kernel(values, Int32(outputs), Int32(inputs), Int32(taps), Int32(group), Int32(width), target)
        case .outputs(let order):
            let length = bytes / order.count
            for (output, row) in order.enumerated() { target.advanced(by: output * length).copyMemory(from: values + row * length, byteCount: length) }
        }
    }
}
