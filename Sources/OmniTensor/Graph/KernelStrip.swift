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

    let work: KernelWork
    let operations: Double
    private let body: Body
    /// Where among the node's sources the strip's own begin: they follow the output where that is made already.
    private let firstSource: Int
    private let throughput: KernelThroughput

    init(work: KernelWork, operations: Double, firstSource: Int, throughput: KernelThroughput, body: @escaping Body) {
        (self.work, self.operations, self.firstSource, self.throughput, self.body) = (work, operations, firstSource, throughput, body)
    }

    /// Seconds that it will take, as far as is known.
    var expectedSeconds: Double { operations / throughput.rate(work) }

    /// What ggml calls, once from each of its threads. The first one's share is timed: shares are alike.
    static let run: ggml_custom_op_t = { target, part, parts, user in
        guard let target, let user, let output = target.pointee.data else { return }
        let strip = Unmanaged<KernelStrip>.fromOpaque(user).takeUnretainedValue()
        let start = ContinuousClock.now
        withUnsafePointer(to: target.pointee.src) { sources in
            sources.withMemoryRebound(to: UnsafeMutablePointer<ggml_tensor>?.self, capacity: Int(GGML_MAX_SRC)) {
                strip.body(Sources(tensors: $0 + strip.firstSource), output, Int32(part), Int32(parts))
            }
        }
        if part == 0 { strip.throughput.learn(strip.work, operations: strip.operations, seconds: start.duration(to: .now) / .seconds(1)) }
    }
}

extension Graph {
    /// One tensor of `shape` that several nodes write, each a strip of it: the first makes it, the others go on in its memory.
    /// Between nodes the lane is given back.
    ///
    /// - Parameters:
    ///   - units: what strips are made of: rows, outputs, pixels.
    ///   - granularity: a strip is a multiple of so many, but for the last.
    ///   - operations: of one of them, in the unit of `work`.
    func inStrips(
        _ shape: [Int], type: ElementType = .f32, sources: [Tensor], work: KernelWork, units: Int, granularity: Int = 1, operations: Double,
        _ body: (Range<Int>) -> KernelStrip.Body
    ) throws -> Tensor {
        guard let throughput, units > 0 else { throw TensorError.shape(operation: "kernel", reason: "nothing to compute for \(shape)") }
        var pointers = sources.map { Optional($0.raw) }
        var whole: Tensor?
        let axes = (shape + [1, 1, 1]).map(Int64.init)
        let most = throughput.stripOperations(work, of: operations * Double(units)) / max(operations, 1)
        // As many as are needed, of the same size: a short one at the end would cost a node for little.
        let step = Self.evenStep(units, most: max(1, Int(min(most, Double(units)))), granularity: granularity)
        try requirePlaces((units + step - 1) / step)
        for start in stride(from: 0, to: units, by: step) {
            let range = start..<min(start + step, units)
            let strip = KernelStrip(
                work: work, operations: operations * Double(range.count), firstSource: whole == nil ? 0 : 1, throughput: throughput,
                body: body(range))
            let user = Unmanaged.passUnretained(strip).toOpaque()
            let next = try node {
                guard let whole else {
                    return ggml_custom_4d(
                        context, type.raw, axes[0], axes[1], axes[2], axes[3], &pointers, Int32(pointers.count), KernelStrip.run,
                        GGML_N_TASKS_MAX, user)
                }
                return ggml_custom_inplace(context, whole.raw, &pointers, Int32(pointers.count), KernelStrip.run, GGML_N_TASKS_MAX, user)
            }
            strips[next.raw] = strip
            whole = next
        }
        guard let whole else { throw TensorError.shape(operation: "kernel", reason: "nothing to compute for \(shape)") }
        return whole
    }

    /// The size of strips of `count` units: at most about `most`, a multiple of `granularity`, and all alike.
    static func evenStep(_ count: Int, most: Int, granularity: Int) -> Int {
        let blocks = (count + granularity - 1) / granularity
        let mostBlocks = most >= count ? blocks : max(1, most / granularity)
        let strips = (blocks + mostBlocks - 1) / mostBlocks
        return (blocks + strips - 1) / strips * granularity
    }
}
