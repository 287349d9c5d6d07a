import CLlama

/// A tensor that stays on the device between graphs: one graph leaves it for the next. Zeros at first.
///
/// Belongs to one request and one thread, like the ``Executor`` whose graphs use it.
public final class PersistentTensor {
    public var tensor: Tensor { Tensor(raw, owner: self) }
    private let raw: UnsafeMutablePointer<ggml_tensor>
    private let context: OpaquePointer
    private let buffer: OpaquePointer

    /// Throws ``TensorError/memory(bytes:what:)`` when the device has not enough.
    public init(_ shape: [Int], type: ElementType = .f32, on backend: Backend) throws {
        let bytes = shape.dropFirst().reduce(type.rowBytes(shape.first ?? 0), *)
        guard let context = ggml_init(ggml_init_params(mem_size: 2 * ggml_tensor_overhead(), mem_buffer: nil, no_alloc: true)) else {
            throw TensorError.memory(bytes: bytes, what: "a tensor")
        }
        guard (1...4).contains(shape.count), shape.allSatisfy({ $0 > 0 }),
            let raw = ggml_new_tensor(context, type.raw, Int32(shape.count), shape.map(Int64.init))
        else {
            ggml_free(context)
            throw TensorError.shape(operation: "carry", reason: "\(shape) is no shape")
        }
        guard let buffer = ggml_backend_alloc_ctx_tensors(context, backend.handles[0]) else {
            ggml_free(context)
            throw TensorError.memory(bytes: bytes, what: "what one chunk of frames leaves for the next")
        }
        ggml_backend_buffer_clear(buffer, 0)
        (self.context, self.raw, self.buffer) = (context, raw, buffer)
    }

    deinit {
        ggml_backend_buffer_free(buffer)
        ggml_free(context)
    }
}

extension Graph {
    /// Copies `value` into `target`, a carried tensor or a view of one, once `last` is computed: what `last` needs may read
    /// `target` as it was before.
    public func carry(_ value: Tensor, into target: Tensor, after last: Tensor) throws {
        try require(value.dimensions == target.dimensions && value.type == target.type, "carry", "\(value.label) into \(target.label)")
        schedule(last)
        schedule(try node { ggml_cpy(context, value.raw, target.raw) })
    }
}
