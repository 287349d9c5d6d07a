/// How the kernel of a convolution along a line lies in a file.
public enum LineKernel: Sendable, Equatable {
    /// PyTorch's `[out, in, taps]`.
    case plain
    /// PyTorch's `[in, out, taps]` of a transposed convolution that makes a line `stride` times as long.
    case transposed(stride: Int)
}

extension WeightOptions {
    /// For ``Graph/conv1d(_:kernel:outputs:bias:window:padding:)``. Nil for what has not the form of such a kernel: it stays as it is, and
    /// whoever wants it sees its shape.
    func linePacking(of entry: WeightEntry, _ kind: LineKernel, for kernels: KernelVariant?) -> WeightArrangement? {
        guard entry.shape.count == 3, !entry.isFolded else { return nil }
        func packed(_ taps: Int, _ inputs: Int, _ outputs: Int) -> WeightArrangement {
            guard let kernels else { return .matrices(depth: 1, taps: taps, inputs: inputs, outputs: outputs) }
            let group = roundsKernels && kernels.rounds && inputs % 2 == 0 ? 2 : 1
            return .panels(taps: taps, inputs: inputs, outputs: outputs, group: group, for: kernels)
        }
        switch kind {
        case .plain: return packed(entry.shape[0], entry.shape[1], entry.shape[2])
        case .transposed(let stride):
            guard let phases = try? LinePhases(taps: entry.shape[0], stride: stride) else { return nil }
            let (outputs, inputs) = (entry.shape[1], entry.shape[2])
            return .phases(phases, inputs: inputs, outputs: outputs, kernel: packed(phases.window.taps, inputs, outputs * stride))
        }
    }
}

extension WeightStore {
    /// A kernel that was loaded as ``WeightOptions/lineKernels`` said.
    ///
    /// - Parameters:
    ///   - taps: as published, also where it is transposed.
    ///   - stride: of a transposed one; nil for a plain one.
    public func lineKernel(_ name: String, taps: Int, inputs: Int, outputs: Int, stride: Int? = nil) throws -> Tensor {
        guard let stride else { return try packedKernel(name, taps: taps, inputs: inputs, outputs: outputs) }
        let wide = try LinePhases(taps: taps, stride: stride).window.taps
        return try packedKernel(name, taps: wide, inputs: inputs, outputs: outputs * stride)
    }
}
