import CLlama

/// A part of what a kernel of ours (`CTensor`) computes: what a node of a graph points to.
final class KernelStrip: Sendable {
    /// Computes share `part` of `parts`; several threads do at once.
    typealias Body = @Sendable (_ sources: Sources, _ output: UnsafeMutableRawPointer, _ part: Int32, _ parts: Int32) -> Void

    /// Where the tensors lie that a node reads.
    struct Sources {
        fileprivate let tensors: UnsafePointer<UnsafeMutablePointer<ggml_tensor>?>
        subscript(index: Int) -> UnsafeMutableRawPointer? { tensors[index]?.pointee.data }
        func floats(_ index: Int) -> UnsafePointer<Float>? { self[index].map { UnsafePointer($0.assumingMemoryBound(to: Float.self)) } }
    }

    private let body: Body
    /// In the pacer's units.
    private let cost: Double
    /// Where among the node's sources the strip's own begin: they follow the output where that is made already.
    private let firstSource: Int

    init(cost: Double, firstSource: Int, body: @escaping Body) {
        self.cost = cost
        self.firstSource = firstSource
        self.body = body
    }

    /// What ggml calls, once from each of its threads.
    static let run: ggml_custom_op_t = { target, part, parts, user in
        guard let target, let user, let output = target.pointee.data else { return }
        let strip = Unmanaged<KernelStrip>.fromOpaque(user).takeUnretainedValue()
        withUnsafePointer(to: target.pointee.src) { sources in
            sources.withMemoryRebound(to: UnsafeMutablePointer<ggml_tensor>?.self, capacity: Int(GGML_MAX_SRC)) {
                strip.body(Sources(tensors: $0 + strip.firstSource), output, Int32(part), Int32(parts))
            }
        }
    }

    /// ggml uses the first 24 of the 64 bytes of a custom node's parameters; ours are the last eight.
    private static let costOffset = 56

    func note(on node: Tensor) {
        withUnsafeMutableBytes(of: &node.raw.pointee.op_params) { $0.storeBytes(of: cost, toByteOffset: Self.costOffset, as: Double.self) }
    }

    static func cost(of node: UnsafeMutablePointer<ggml_tensor>) -> Double {
        withUnsafeBytes(of: &node.pointee.op_params) { $0.loadUnaligned(fromByteOffset: costOffset, as: Double.self) }
    }
}

extension Graph {
    /// What one of our kernels costs, in the pacer's units: a product of bf16 takes 2 for each multiplication at ggml's speed, and
    /// ours run at about twice that.
    static func kernelCost(operations: Int, rounds: Bool) -> Double { (rounds ? 0.5 : 1) * Double(operations) }

    /// One tensor of `shape` that several nodes write, each a strip of it: the first makes it, the others go on in its memory.
    /// Between nodes the lane is given back.
    func inStrips(_ shape: [Int], type: ElementType = .f32, sources: [Tensor], _ strips: [(cost: Double, body: KernelStrip.Body)]) throws -> Tensor {
        var pointers = sources.map { Optional($0.raw) }
        var whole: Tensor?
        let axes = (shape + [1, 1, 1]).map(Int64.init)
        for (cost, body) in strips {
            let strip = KernelStrip(cost: cost, firstSource: whole == nil ? 0 : 1, body: body)
            kept.append(strip)
            let user = Unmanaged.passUnretained(strip).toOpaque()
            let next = try node {
                guard let whole else {
                    return ggml_custom_4d(
                        context, type.raw, axes[0], axes[1], axes[2], axes[3], &pointers, Int32(pointers.count), KernelStrip.run, GGML_N_TASKS_MAX, user)
                }
                return ggml_custom_inplace(context, whole.raw, &pointers, Int32(pointers.count), KernelStrip.run, GGML_N_TASKS_MAX, user)
            }
            strip.note(on: next)
            whole = next
        }
        guard let whole else { throw TensorError.shape(operation: "kernel", reason: "nothing to compute for \(shape)") }
        return whole
    }

    /// `0 ..< count` in ranges of at most `step`.
    static func ranges(_ count: Int, by step: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: max(1, step)).map { $0..<min($0 + max(1, step), count) }
    }
}
