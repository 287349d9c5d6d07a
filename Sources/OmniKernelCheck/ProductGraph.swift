import CLlama
import OmniDevices

/// One product by ggml on the CPU, its weights in memory of a chosen kind.
final class ProductGraph {
    enum Operation: String, CaseIterable {
        /// Each row of x with all weights.
        case product
        /// Each row with the weights of the experts that it names, as mixtures of experts do.
        case experts
    }

    /// Weights are three experts of a third of the outputs each, two of them for each row.
    static let experts = 3, used = 2

    private let device: ggml_backend_dev_t
    private let backend: ggml_backend_t
    private var contexts: [OpaquePointer] = []
    private var buffers: [ggml_backend_buffer_t] = []

    init(threads: Int) throws {
        guard let device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), let backend = ggml_backend_dev_init(device, nil) else {
            throw KernelRefusal(description: "ggml has no CPU backend")
        }
        self.device = device
        self.backend = backend
        CPUFunctions.setThreads(backend, threads)
    }

    deinit {
        buffers.forEach { ggml_backend_buffer_free($0) }
        contexts.forEach { ggml_free($0) }
        ggml_backend_free(backend)
    }

    /// The kinds of memory on this CPU that take such weights, in libllama's order.
    func bufferTypes(for type: WeightType, inner: Int, outputs: Int, _ operation: Operation) throws -> [BufferType] {
        try BufferType.all(of: device).filter { candidate in
            let context = try makeContext()
            defer { ggml_free(context) }
            let nodes = try makeNodes(in: context, type: type, inner: inner, outputs: outputs, rows: 512, operation)
            // As libllama asks: with an empty buffer of that kind.
            guard let buffer = ggml_backend_buft_alloc_buffer(candidate.raw, 0) else { return false }
            defer { ggml_backend_buffer_free(buffer) }
            nodes.weights.pointee.buffer = buffer
            return ggml_backend_dev_supports_op(device, nodes.result)
        }
    }

    /// The sums [rows][outputs], or [rows][used][outputs / experts] with `chosen` [rows][used].
    func run(_ weights: QuantizedWeights, in place: BufferType, x: ArraySlice<Float>, chosen: [Int32]?) throws -> [Float] {
        let rows = x.count / weights.inner
        let (fixed, moving) = (try makeContext(), try makeContext())
        contexts += [fixed, moving]
        let nodes = try makeNodes(
            in: moving, weightsIn: fixed, type: weights.type, inner: weights.inner, outputs: weights.outputs, rows: rows,
            chosen == nil ? .product : .experts)
        guard let memory = ggml_backend_alloc_ctx_tensors_from_buft(fixed, place.raw) else {
            throw KernelRefusal(description: "no memory in \(place.name)")
        }
        buffers.append(memory)
        ggml_backend_buffer_set_usage(memory, GGML_BACKEND_BUFFER_USAGE_WEIGHTS)
        guard let graph = ggml_new_graph(moving) else { throw KernelRefusal(description: "no graph") }
        ggml_build_forward_expand(graph, nodes.result)
        guard let space = ggml_backend_alloc_ctx_tensors_from_buft(moving, ggml_backend_cpu_buffer_type()) else {
            throw KernelRefusal(description: "no memory")
        }
        buffers.append(space)
        weights.bytes.withUnsafeBytes { ggml_backend_tensor_set(nodes.weights, $0.baseAddress, 0, $0.count) }
        x.withUnsafeBytes { ggml_backend_tensor_set(nodes.x, $0.baseAddress, 0, $0.count) }
        if let chosen, let ids = nodes.ids { chosen.withUnsafeBytes { ggml_backend_tensor_set(ids, $0.baseAddress, 0, $0.count) } }
        guard ggml_backend_graph_compute(backend, graph) == GGML_STATUS_SUCCESS else {
            throw KernelRefusal(description: "ggml refused the graph")
        }
        var found = [Float](repeating: 0, count: Int(ggml_nelements(nodes.result)))
        found.withUnsafeMutableBytes { ggml_backend_tensor_get(nodes.result, $0.baseAddress, 0, $0.count) }
        return found
    }

    private struct Nodes {
        let weights, x, result: UnsafeMutablePointer<ggml_tensor>
        let ids: UnsafeMutablePointer<ggml_tensor>?
    }

    private func makeContext() throws -> OpaquePointer {
        let size = ggml_tensor_overhead() * 8 + ggml_graph_overhead()
        guard let context = ggml_init(ggml_init_params(mem_size: size, mem_buffer: nil, no_alloc: true)) else {
            throw KernelRefusal(description: "no context")
        }
        return context
    }

    private func makeNodes(
        in context: OpaquePointer, weightsIn fixed: OpaquePointer? = nil, type: WeightType, inner: Int, outputs: Int, rows: Int,
        _ operation: Operation
    ) throws -> Nodes {
        let (inner, rows) = (Int64(inner), Int64(rows))
        switch operation {
        case .product:
            guard let weights = ggml_new_tensor_2d(fixed ?? context, type.raw, inner, Int64(outputs)),
                let x = ggml_new_tensor_2d(context, GGML_TYPE_F32, inner, rows), let result = ggml_mul_mat(context, weights, x)
            else { throw KernelRefusal(description: "no tensors") }
            return Nodes(weights: weights, x: x, result: result, ids: nil)
        case .experts:
            guard let weights = ggml_new_tensor_3d(fixed ?? context, type.raw, inner, Int64(outputs / Self.experts), Int64(Self.experts)),
                let x = ggml_new_tensor_3d(context, GGML_TYPE_F32, inner, 1, rows),
                let ids = ggml_new_tensor_2d(context, GGML_TYPE_I32, Int64(Self.used), rows),
                let result = ggml_mul_mat_id(context, weights, x, ids)
            else { throw KernelRefusal(description: "no tensors") }
            return Nodes(weights: weights, x: x, result: result, ids: ids)
        }
    }
}
