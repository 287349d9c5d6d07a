import CLlama

/// A computation under construction: nodes that ggml will compute later. Operations check shapes before ggml sees them,
/// which would end the process, and throw a ``TensorError/shape(operation:reason:)`` that says what did not fit.
///
/// Made, filled and run on one thread by ``Executor``.
public final class Graph {
    let handle: OpaquePointer
    let context: OpaquePointer
    let deltas: LowRankDeltas
    let backend: Backend
    /// Kernels of ours (`CTensor`) where they may compute: tensors lie in memory that this process addresses.
    let kernels: KernelVariant?
    /// Their speed on this device; nil where they do not compute.
    let throughput: KernelThroughput?
    /// Operations that one of ggml's nodes may take so that it does not hold the compute lane much longer than 25 ms. ggml is about as
    /// fast as our own product in f32; how fast that is was measured once, so that a graph that is priced is cut as it will run.
    let nodeBudget: Int
    private let capacity: Int
    /// They know their tensors by pointer: a tensor keeps its graph alive, and only measured graphs never run them.
    private var uploads: [() throws -> Void] = []
    private var nodes = 0
    /// What nodes point to that are computed by kernels of ours.
    var strips: [UnsafeMutablePointer<ggml_tensor>: KernelStrip] = [:]
    /// Tensors rounded to bf16, by what they were; as pointers, since a tensor keeps its graph alive.
    var roundings: [UnsafeMutablePointer<ggml_tensor>: UnsafeMutablePointer<ggml_tensor>] = [:]

    init(capacity: Int, deltas: LowRankDeltas = LowRankDeltas(), backend: Backend) throws {
        self.capacity = capacity
        self.deltas = deltas
        self.backend = backend
        kernels = backend.ownKernels
        throughput = backend.ownKernels == nil ? nil : backend.throughput
        nodeBudget = backend.isHost ? Self.nodeBudget(backend.throughput) : Self.nodeBudgetOfGPUs
        let arena = ggml_tensor_overhead() * capacity + ggml_graph_overhead_custom(capacity, false)
        guard let context = ggml_init(ggml_init_params(mem_size: arena, mem_buffer: nil, no_alloc: true)) else {
            throw TensorError.memory(bytes: arena, what: "the nodes of a graph")
        }
        guard let handle = ggml_new_graph_custom(context, capacity, false) else {
            ggml_free(context)
            throw TensorError.memory(bytes: arena, what: "the nodes of a graph")
        }
        self.context = context
        self.handle = handle
    }

    deinit { ggml_free(context) }

    private static func nodeBudget(_ throughput: KernelThroughput) -> Int {
        let (least, most) = (250_000_000.0, 4_000_000_000.0)
        return Int(min(max(throughput.first * 0.025, least), most))
    }

    /// 25 ms at 4 TFLOPS. Nobody measures a GPU beforehand, and each portion costs a start and a copy there.
    private static let nodeBudgetOfGPUs = 100_000_000_000

    /// A place for values that are written before the graph runs. `values` is asked for then, not when only measured.
    public func input(_ shape: [Int], _ values: @escaping @autoclosure () -> [Float]) throws -> Tensor {
        let tensor = try newInput(shape, GGML_TYPE_F32)
        uploads.append { [raw = tensor.raw] in try Self.write(values(), to: raw) }
        return tensor
    }

    /// A place for whole numbers: token ids, positions.
    public func input(_ shape: [Int], integers: @escaping @autoclosure () -> [Int32]) throws -> Tensor {
        let tensor = try newInput(shape, GGML_TYPE_I32)
        uploads.append { [raw = tensor.raw] in try Self.write(integers(), to: raw) }
        return tensor
    }

    /// A place that is only measured, never written.
    public func placeholder(_ shape: [Int], _ type: ElementType) throws -> Tensor { try newInput(shape, type.raw) }

    private func newInput(_ shape: [Int], _ type: ggml_type) throws -> Tensor {
        guard (1...4).contains(shape.count), shape.allSatisfy({ $0 > 0 }) else {
            throw TensorError.shape(operation: "input", reason: "\(shape) is no shape")
        }
        let tensor = try node { ggml_new_tensor(context, type, Int32(shape.count), shape.map(Int64.init)) }
        ggml_set_input(tensor.raw)
        return tensor
    }

    /// Takes one of the arena's places for what `make` returns.
    func node(_ make: () throws -> UnsafeMutablePointer<ggml_tensor>?) throws -> Tensor {
        // Two places are kept for the small views that some ggml operations make on the way.
        nodes += 1
        guard nodes + 2 < capacity, let raw = try make() else { throw TensorError.tooManyNodes(capacity: capacity) }
        return Tensor(raw, owner: self)
    }

    /// Throws where so many more nodes have no place, before the first of them is made.
    func requirePlaces(_ count: Int) throws {
        guard nodes + count + 2 < capacity else { throw TensorError.tooManyNodes(capacity: capacity) }
    }

    /// What `tensor` needs is computed before whatever is scheduled later.
    func schedule(_ tensor: Tensor) { ggml_build_forward_expand(handle, tensor.raw) }

    /// Says which tensors are wanted, in f32 and in one piece.
    func finish(_ outputs: [Tensor]) throws -> [Tensor] {
        try outputs.map { output in
            guard output.type == .f32 else {
                throw TensorError.shape(operation: "output", reason: "\(output.label) is \(output.type), not f32")
            }
            let whole = try contiguous(output)
            ggml_set_output(whole.raw)
            ggml_build_forward_expand(handle, whole.raw)
            return whole
        }
    }

    /// Writes the inputs, once the graph has memory.
    func upload() throws {
        for write in uploads { try write() }
        uploads.removeAll()
    }

    private static func write<Value: BitwiseCopyable>(_ values: [Value], to tensor: UnsafeMutablePointer<ggml_tensor>) throws {
        // An input that no output depends on gets no memory.
        guard tensor.pointee.buffer != nil else { return }
        let count = Int(ggml_nelements(tensor))
        guard values.count == count else {
            throw TensorError.shape(operation: "input", reason: "a place for \(count) values got \(values.count)")
        }
        ggml_backend_tensor_set(tensor, values, 0, values.count * MemoryLayout<Value>.size)
    }

    func require(_ condition: Bool, _ operation: String, _ reason: @autoclosure () -> String) throws {
        if !condition { throw TensorError.shape(operation: operation, reason: reason()) }
    }
}
