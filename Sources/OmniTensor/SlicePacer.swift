import CLlama

/// Decides after which node a slice of a graph ends, so that the compute lane is given back in time.
///
/// Each node has a rough cost in floating point operations; the rate is learnt from slices that ran.
final class SlicePacer {
    /// Longest time a slice should hold the lane, seconds. Half the lane's limit: estimates err.
    let budget: Double
    /// Operations per second, a moving average.
    private(set) var rate: Double = 2e10
    private var cost: Double = 0

    init(budget: Double = 0.025) { self.budget = budget }

    /// Whether the slice ends with this node.
    func endsSlice(at node: UnsafeMutablePointer<ggml_tensor>) -> Bool {
        cost += Self.operations(node)
        return cost >= budget * rate
    }

    /// The slice took `seconds`: learn, and start the next.
    func finished(after seconds: Double) {
        if cost > 1e7, seconds > 0 { rate += 0.3 * (cost / seconds - rate) }
        rate = min(max(rate, 1e9), 1e15)
        cost = 0
    }

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
        case GGML_OP_CUSTOM:
            return KernelStrip.cost(of: node)
        case GGML_OP_NONE, GGML_OP_VIEW, GGML_OP_RESHAPE, GGML_OP_PERMUTE, GGML_OP_TRANSPOSE:
            return 0
        default:
            return 128 * elements
        }
    }
}
