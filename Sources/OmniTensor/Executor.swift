import CLlama
import OmniDevices
import OmniEngine

/// What a run of graphs needs besides numbers: the right to compute, and the wish to stop.
public struct ComputeScope: Sendable {
    public let lane: any ComputeLane
    public let cancellation: CancellationToken

    public init(lane: any ComputeLane = FreeLane(), cancellation: CancellationToken = CancellationToken()) {
        self.lane = lane
        self.cancellation = cancellation
    }
}

/// Bytes that graphs take when one runs after the other.
public struct GraphPrice: Sendable, Equatable {
    /// The largest graph's tensors.
    public var graph = 0
    /// What the backend keeps for its operations, the largest need of all graphs.
    public var scratch = 0

    public var total: Int { graph + scratch }

    public init(graph: Int = 0, scratch: Int = 0) {
        self.graph = graph
        self.scratch = scratch
    }

    /// Both, one after the other.
    public func then(_ other: GraphPrice) -> GraphPrice {
        GraphPrice(graph: max(graph, other.graph), scratch: max(scratch, other.scratch))
    }
}

/// Runs graphs on a backend, one after the other, in slices of about 25 ms that each hold the compute lane.
///
/// Belongs to one request and one thread: its memory goes back when it does.
public final class Executor {
    public let backend: Backend
    /// Changes of weights for the graphs to come.
    public var deltas = LowRankDeltas()
    private let capacity: Int
    private let scheduler: OpaquePointer

    /// - Parameter capacity: nodes of the largest graph.
    public init(_ backend: Backend, capacity: Int = 65536) throws {
        self.backend = backend
        self.capacity = capacity
        var handles = backend.handles.map(Optional.some)
        guard let scheduler = ggml_backend_sched_new(&handles, nil, Int32(handles.count), capacity, false, true) else {
            throw TensorError.backend("ggml made no scheduler")
        }
        self.scheduler = scheduler
    }

    deinit { ggml_backend_sched_free(scheduler) }

    /// Builds a graph, runs it, and returns the values of its outputs.
    ///
    /// - Throws: `CancellationError` when the scope was cancelled, at the latest one node after; `TensorError.memory` when
    ///   the device has not enough.
    public func evaluate(_ scope: ComputeScope, _ build: (Graph) throws -> [Tensor]) throws -> [[Float]] {
        try scope.cancellation.check()
        let graph = try Graph(capacity: capacity, deltas: deltas, backend: backend)
        let outputs = try graph.finish(build(graph))
        ggml_backend_sched_reset(scheduler)
        place(graph)
        guard ggml_backend_sched_alloc_graph(scheduler, graph.handle) else {
            throw TensorError.memory(bytes: (try? price(build).total) ?? 0, what: "a graph on \(backend.name)")
        }
        let (scheduler, device) = (scheduler, backend.handles[0])
        backend.operations.note(graph) { ggml_backend_sched_get_tensor_backend(scheduler, $0) == device }
        try graph.upload()
        try compute(graph, scope)
        return outputs.map { Self.read($0) }
    }

    /// Bytes of working memory that the graph would take. Allocates nothing and runs nothing.
    public func price(_ build: (Graph) throws -> [Tensor]) throws -> GraphPrice {
        let graph = try Graph(capacity: capacity, deltas: deltas, backend: backend)
        _ = try graph.finish(build(graph))
        var sizes = [Int](repeating: 0, count: backend.handles.count)
        ggml_backend_sched_reserve_size(scheduler, graph.handle, &sizes)
        ggml_backend_sched_reset(scheduler)
        // Where the CPU rounds or sorts an operand it needs a place for it, the largest node's.
        let scratch = backend.isHost ? CPUFunctions.workSize(graph.handle, threads: backend.threads) : Self.scratchOfGPU(graph)
        return GraphPrice(graph: sizes.reduce(0, +), scratch: scratch)
    }

    /// Gives the device all that it can compute. Left to itself ggml computes beside the inputs, which lie on the CPU, whatever no weight
    /// draws to the device.
    private func place(_ graph: Graph) {
        guard !backend.isHost else { return }
        for index in 0..<ggml_graph_n_nodes(graph.handle) {
            guard let node = ggml_graph_node(graph.handle, index), !OperationLog.isView(node) else { continue }
            if backend.supports(Tensor(node, owner: graph)) { ggml_backend_sched_set_tensor_backend(scheduler, node, backend.handles[0]) }
        }
    }

    /// Where a GPU multiplies halves it rounds one side and decodes the other in a place of its own: the largest node's.
    private static func scratchOfGPU(_ graph: Graph) -> Int {
        (0..<ggml_graph_n_nodes(graph.handle)).reduce(0) { most, index in
            guard let node = ggml_graph_node(graph.handle, index), node.pointee.op == GGML_OP_MUL_MAT, let weight = node.pointee.src.0,
                let x = node.pointee.src.1, weight.pointee.type != GGML_TYPE_F32
            else { return most }
            let decoded = ggml_is_quantized(weight.pointee.type) ? ggml_nelements(weight) : 0
            return max(most, 2 * Int(decoded + ggml_nelements(x) + ggml_nelements(node)))
        }
    }

    private func compute(_ graph: Graph, _ scope: ComputeScope) throws {
        let slices = SliceRun(scope: scope, pacer: backend.pacer, strips: graph.strips)
        ggml_backend_sched_set_eval_callback(
            scheduler,
            { node, ask, user in
                guard let node, let user else { return true }
                return Unmanaged<SliceRun>.fromOpaque(user).takeUnretainedValue().visit(node, ask: ask)
            }, Unmanaged.passUnretained(slices).toOpaque())
        defer { ggml_backend_sched_set_eval_callback(scheduler, nil, nil) }
        let status = backend.abortable(by: scope.cancellation) {
            slices.begin()
            defer { slices.end() }
            return withExtendedLifetime(slices) { ggml_backend_sched_graph_compute(scheduler, graph.handle) }
        }
        // A cancelled graph's numbers mean nothing, whatever status came back.
        try scope.cancellation.check()
        guard status == GGML_STATUS_SUCCESS else { throw TensorError.backend("the graph failed with status \(status.rawValue)") }
    }

    private static func read(_ tensor: Tensor) -> [Float] {
        [Float](unsafeUninitializedCapacity: tensor.count) { buffer, count in
            ggml_backend_tensor_get(tensor.raw, buffer.baseAddress, 0, tensor.count * MemoryLayout<Float>.size)
            count = tensor.count
        }
    }
}

/// One run of a graph: gives the lane back between slices.
private final class SliceRun {
    private let scope: ComputeScope
    private let pacer: SlicePacer
    private let strips: [UnsafeMutablePointer<ggml_tensor>: KernelStrip]
    private var started = ContinuousClock.now

    init(scope: ComputeScope, pacer: SlicePacer, strips: [UnsafeMutablePointer<ggml_tensor>: KernelStrip]) {
        self.scope = scope
        self.pacer = pacer
        self.strips = strips
    }

    func begin() {
        scope.lane.acquire()
        started = .now
    }

    func end() {
        pacer.finished(after: started.duration(to: .now) / .seconds(1))
        scope.lane.release()
    }

    /// ggml asks of each node whether the slice ends there, and reports back when it was computed. False stops the run.
    func visit(_ node: UnsafeMutablePointer<ggml_tensor>, ask: Bool) -> Bool {
        // ggml begins the nodes of the next device also after a stop: each of these ends at once.
        if ask { return pacer.endsSlice(at: node, strip: strips[node]) || scope.cancellation.isCancelled }
        end()
        let proceed = !scope.cancellation.isCancelled
        begin()
        return proceed
    }
}
