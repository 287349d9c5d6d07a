import CTensor

/// How a tensor's values are laid out anew while it is loaded.
enum WeightArrangement: Sendable, Equatable {
    case asIs
    /// Output `i` is the file's output `order[i]`.
    case outputs([Int])
    /// A kernel `[…, in, out]` as ``Graph/conv3d(_:kernel:bias:window:past:)`` takes it: `[panel · group, in / group · taps · panels]`,
    /// with a group of two inputs where it is rounded to bf16, one where not.
    /// Panels are as wide as the variant's vectors.
    case panels(taps: Int, inputs: Int, outputs: Int, group: Int, for: KernelVariant)
    /// A kernel `[…, in, out]` as ggml's products take it: a matrix `[taps · in, out]` for each frame that it covers, one after the other.
    case matrices(depth: Int, taps: Int, inputs: Int, outputs: Int)
    /// A kernel `[taps, out, in]` of a transposed convolution along a line, as the kernel of a plain one that is then laid out as `kernel` says.
    indirect case phases(LinePhases, inputs: Int, outputs: Int, kernel: WeightArrangement)
    /// `[1, …, 1, n]` becomes `[n]`.
    case vector

    func shape(_ shape: [Int]) -> [Int] {
        switch self {
        case .asIs, .outputs: return shape
        case .panels(let taps, let inputs, let outputs, let group, let kernels):
            return Self.panelShape(taps: taps, inputs: inputs, outputs: outputs, group: group, for: kernels)
        case .matrices(let depth, let taps, let inputs, let outputs): return [taps * inputs, outputs * depth]
        case .phases(_, _, _, let kernel): return kernel.shape(shape)
        case .vector: return [shape[shape.count - 1]]
        }
    }

    static func panelShape(taps: Int, inputs: Int, outputs: Int, group: Int, for kernels: KernelVariant) -> [Int] {
        let width = Int(ct_panel_width(kernels.index, Int32(outputs), group == 2 ? 1 : 0))
        let packed = Int(ct_packed_inputs(kernels.index, Int32(inputs), Int32(group)))
        return [width * group, packed / group * taps * ((outputs + width - 1) / width)]
    }

    /// Whether values change their places, not only the tensor its shape.
    var movesValues: Bool {
        switch self {
        case .asIs, .vector: false
        case .matrices(let depth, _, _, _): depth > 1
        case .panels, .outputs, .phases: true
        }
    }

    /// Values under the new layout of `count` values of a tensor of `shape`.
    func count(_ count: Int, _ shape: [Int]) -> Int { movesValues ? self.shape(shape).reduce(1, *) : count }

    /// Writes the values of a tensor, `bytes` in all and `width` each, under the new layout.
    func apply(_ values: UnsafeRawPointer, bytes: Int, width: Int, into target: UnsafeMutableRawPointer) {
        switch self {
        case .asIs, .vector: target.copyMemory(from: values, byteCount: bytes)
        case .panels(let taps, let inputs, let outputs, let group, let kernels):
            ct_pack_kernel(kernels.index, values, Int32(outputs), Int32(inputs), Int32(taps), Int32(group), Int32(width), target)
        case .phases(let phases, let inputs, let outputs, let kernel):
            let count = phases.stride * outputs * inputs * phases.window.taps * width
            let wide = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 64)
            defer { wide.deallocate() }
            phases.arrange(values, inputs: inputs, outputs: outputs, width: width, into: wide)
            kernel.apply(wide, bytes: count, width: width, into: target)
        case .matrices(let depth, let taps, let inputs, let outputs):
            let length = taps * width
            for frame in 0..<depth {
                for row in 0..<inputs * outputs {
                    let place = target.advanced(by: (frame * inputs * outputs + row) * length)
                    place.copyMemory(from: values + (row * depth + frame) * length, byteCount: length)
                }
            }
        case .outputs(let order):
            let length = bytes / order.count
            for (output, row) in order.enumerated() {
                target.advanced(by: output * length).copyMemory(from: values + row * length, byteCount: length)
            }
        }
    }
}
