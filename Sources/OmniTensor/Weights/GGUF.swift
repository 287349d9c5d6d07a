import CLlama

/// GGUF, read by ggml itself; the data stay in the file.
enum GGUF {
    static func entries(path: String) throws -> [WeightEntry] {
        let file = try WeightFile(path: path)
        var shapes: OpaquePointer?
        let handle = withUnsafeMutablePointer(to: &shapes) { gguf_init_from_file(path, gguf_init_params(no_alloc: true, ctx: $0)) }
        guard let handle, let shapes else { throw TensorError.file(path: path, reason: "is no GGUF file, or its header is broken") }
        defer {
            ggml_free(shapes)
            gguf_free(handle)
        }
        let start = gguf_get_data_offset(handle)
        return try (0..<gguf_get_n_tensors(handle)).map { index in
            let name = String(cString: gguf_get_tensor_name(handle, index))
            guard let tensor = ggml_get_tensor(shapes, name) else {
                throw TensorError.file(path: path, reason: "tensor \(name) has no shape")
            }
            // Unsigned in C: what passes the largest number of ours comes as a negative one.
            let (place, bytes) = (gguf_get_tensor_offset(handle, index), ggml_nbytes(tensor))
            guard start >= 0, place >= 0, bytes >= 0, start <= file.size, place <= file.size - start, bytes <= file.size - start - place
            else {
                throw TensorError.file(path: path, reason: "tensor \(name) ends behind the file's \(file.size) bytes: it is cut short")
            }
            let offset = start + place
            let view = Tensor(tensor, owner: file)
            return WeightEntry(name: name, shape: view.shape, encoding: .native(view.type), file: file, offset: offset, byteCount: bytes)
        }
    }
}
