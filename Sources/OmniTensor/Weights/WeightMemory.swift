import CLlama

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// ggml's handles of a store: the list of tensors, the memory of some, the mapped files of the others. Freed together.
final class WeightMemory {
    private let context: OpaquePointer
    private var buffer: OpaquePointer?
    private var maps: [String: MappedFile] = [:]
    /// Bytes of tensors that lie in mapped files: the kernel may drop and read them again.
    private(set) var mappedBytes = 0
    /// Bytes of all tensors.
    private(set) var byteCount = 0

    /// Bytes of the buffer where it is not this process's memory.
    var deviceBytes: Int { buffer.map { ggml_backend_buffer_is_host($0) ? 0 : ggml_backend_buffer_get_size($0) } ?? 0 }

    init(tensors: Int) throws {
        let arena = ggml_tensor_overhead() * (tensors + 1)
        guard let context = ggml_init(ggml_init_params(mem_size: arena, mem_buffer: nil, no_alloc: true)) else {
            throw TensorError.memory(bytes: arena, what: "the list of weights")
        }
        self.context = context
    }

    deinit {
        if let buffer { ggml_backend_buffer_free(buffer) }
        maps.removeAll()
        ggml_free(context)
    }

    func makeTensor(_ name: String, _ type: ElementType, _ shape: [Int]) throws -> UnsafeMutablePointer<ggml_tensor> {
        guard let tensor = ggml_new_tensor(context, type.raw, Int32(shape.count), shape.map(Int64.init)) else {
            throw TensorError.backend("ggml made no tensor \(name)")
        }
        ggml_set_name(tensor, name)
        byteCount += ggml_nbytes(tensor)
        return tensor
    }

    /// Gives `tensor` the bytes of the file itself. False where they are not aligned as elements should be, or cannot be mapped.
    func map(_ tensor: UnsafeMutablePointer<ggml_tensor>, _ entry: WeightEntry) -> Bool {
        guard entry.offset % ggml_type_size(tensor.pointee.type) == 0, let file = maps[entry.file.path] ?? MappedFile(entry.file) else {
            return false
        }
        maps[entry.file.path] = file
        guard ggml_backend_tensor_alloc(file.buffer, tensor, file.start + entry.offset) == GGML_STATUS_SUCCESS else { return false }
        mappedBytes += entry.byteCount
        return true
    }

    /// Lets mapped pages go; whoever reads them again gets them from the file.
    func releaseMaps() { maps.values.forEach { $0.release() } }

    /// Memory for every tensor that has none yet.
    func allocate(on backend: Backend) throws {
        if byteCount > mappedBytes { buffer = try backend.makeBuffer(context, bytes: byteCount - mappedBytes) }
    }
}

/// A file's bytes in this process's address space, as memory that ggml takes.
private final class MappedFile {
    let start: UnsafeMutableRawPointer
    let buffer: OpaquePointer
    private let size: Int

    init?(_ file: WeightFile) {
        guard let start = file.map() else { return nil }
        guard let buffer = ggml_backend_cpu_buffer_from_ptr(start, file.size) else {
            munmap(start, file.size)
            return nil
        }
        ggml_backend_buffer_set_usage(buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS)
        self.start = start
        self.buffer = buffer
        size = file.size
    }

    func release() { madvise(start, size, MADV_DONTNEED) }

    deinit {
        ggml_backend_buffer_free(buffer)
        munmap(start, size)
    }
}
