import CLlama

/// Decides after which node a slice of a graph ends, so that the compute lane is given back in time.
///
/// Strips of our kernels are counted in seconds, by the speed that they were seen to have. Each of ggml's nodes has a rough cost in
/// floating point operations; their rate is learnt from slices that ran.
final class SlicePacer {
    /// Longest time a slice should hold the lane, seconds. Half the lane's limit: estimates err.
    let budget: Double
    /// Operations per second of ggml's nodes, a moving average.
    private(set) var rate: Double = 2e10
    private let throughput: KernelThroughput
    private var cost: Double = 0
    private var seconds: Double = 0

    init(budget: Double = 0.025, throughput: KernelThroughput) {
        self.budget = budget
        self.throughput = throughput
    }

    /// Whether the slice ends with this node.
    func endsSlice(at node: UnsafeMutablePointer<ggml_tensor>, strip: KernelStrip?) -> Bool {
        if let strip { seconds += strip.expectedSeconds } else { cost += Self.operations(node) }
        return seconds + cost / rate >= budget
    }

    /// The slice took `seconds`: learn, and start the next.
    func finished(after taken: Double) {
        // What strips took they have learnt from themselves.
        let others = taken - throughput.takeSeconds()
        if cost > 1e7, others > 0.2 * taken { rate += 0.3 * (cost / others - rate) }
        rate = min(max(rate, 1e9), 1e15)
        (cost, seconds) = (0, 0)
    }

    /// What an element costs that is bound by memory.
    static let costOfElement = 128.0

    /// Operations of a node, in units of a bf16 product's: f32 takes twice as long, and whatever is bound by memory takes
    /// for each element as long as a hundred of them (measured on Zen 4 and 5).
    static func operations(_ node: UnsafeMutablePointer<ggml_tensor>) -> Double {
        let elements = Double(ggml_nelements(node))
        switch node.pointee.op {
        case GGML_OP_MUL_MAT:
            let weight = node.pointee.src.0?.pointee
            return (weight?.type == GGML_TYPE_F32 ? 4 : 2) * elements * Double(weight?.ne.0 ?? 1)
        case GGML_OP_FLASH_ATTN_EXT:
            return 4 * elements * Double(node.pointee.src.1?.pointee.ne.1 ?? 1)
        case GGML_OP_NONE, GGML_OP_VIEW, GGML_OP_RESHAPE, GGML_OP_PERMUTE, GGML_OP_TRANSPOSE:
            return 0
        default:
            return costOfElement * elements
        }
    }
}
