import CLlama
import Synchronization

/// An operation of ggml with the types that it takes and gives: what a device must be able to do.
public struct GraphOperation: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// ggml's name: `MUL_MAT`, `SILU`, `SWIGLU`.
    public let name: String
    /// Types of the operands, and of the result.
    public let operands: [ElementType]
    public let result: ElementType
    /// Whether an operand does not lie in one piece.
    public let isStrided: Bool

    init(_ node: UnsafePointer<ggml_tensor>) {
        let op = node.pointee.op
        name =
            switch op {
            case GGML_OP_UNARY: String(cString: ggml_unary_op_name(ggml_get_unary_op(node)))
            case GGML_OP_GLU: String(cString: ggml_glu_op_name(ggml_get_glu_op(node)))
            case GGML_OP_CPY where node.pointee.src.0?.pointee.type != node.pointee.type: "CPY"
            default: String(cString: ggml_op_name(op))
            }
        let sources = node.pointee.src
        // What stands behind the third operand are masks and the like, of types that follow from the operation.
        var found = [sources.0, sources.1, sources.2].compactMap { $0 }
        // The place that is copied into, and the kernel of which only the shape is read, say nothing of their own.
        if op == GGML_OP_CPY { found = Array(found.prefix(1)) }
        if op == GGML_OP_IM2COL { found = Array(found.dropFirst()) }
        operands = found.map { ElementType(raw: $0.pointee.type) }
        result = ElementType(raw: node.pointee.type)
        isStrided = found.contains { !ggml_is_contiguous($0) }
    }

    public var description: String {
        "\(name) \(operands.map(\.description).joined(separator: ", ")) → \(result)\(isStrided ? ", strided" : "")"
    }

    public static func < (a: GraphOperation, b: GraphOperation) -> Bool { a.description < b.description }
}

/// Which operations graphs were made of, and which of them ran on the CPU instead of their device.
public final class OperationLog: Sendable {
    private struct State {
        var isOn = false
        var supported: [GraphOperation: Bool] = [:]
        var nodes = 0
    }

    private let state = Mutex(State())

    init() {}

    /// Notes the graphs that are computed from now on.
    public func start() { state.withLock { $0 = State(isOn: true) } }

    /// Each operation with whether the device computed it, each time.
    public var supported: [GraphOperation: Bool] { state.withLock { $0.supported } }
    /// Nodes that compute, over all graphs.
    public var nodes: Int { state.withLock { $0.nodes } }

    /// - Parameter isOnDevice: whether the node was given to the device.
    func note(_ graph: Graph, isOnDevice: (UnsafeMutablePointer<ggml_tensor>) -> Bool) {
        guard state.withLock({ $0.isOn }) else { return }
        let nodes = (0..<ggml_graph_n_nodes(graph.handle)).compactMap { ggml_graph_node(graph.handle, $0) }.filter { !Self.isView($0) }
        let found = nodes.map { (GraphOperation($0), isOnDevice($0)) }
        state.withLock { state in
            state.nodes += found.count
            for (operation, isHere) in found { state.supported[operation] = isHere && state.supported[operation] != false }
        }
    }

    /// What only says where numbers lie.
    private static let views = [GGML_OP_NONE, GGML_OP_VIEW, GGML_OP_RESHAPE, GGML_OP_PERMUTE, GGML_OP_TRANSPOSE]

    static func isView(_ node: UnsafePointer<ggml_tensor>) -> Bool { views.contains(node.pointee.op) }
}
