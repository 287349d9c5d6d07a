import CLlama

/// Memory that libllama may put weights into on this CPU. Its kind decides the kernel: `CPU` holds them as they come, `CPU_REPACK`
/// and `AMX` lay them out anew.
struct BufferType {
    let raw: ggml_backend_buffer_type_t
    var name: String { String(cString: ggml_backend_buft_name(raw)) }

    /// In libllama's order: the first that takes a weight gets it.
    static func all(of device: ggml_backend_dev_t) -> [BufferType] {
        var found: [BufferType] = []
        if let symbol = ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts") {
            // The name promises the type (ggml-backend.h).
            let list = unsafeBitCast(symbol, to: ggml_backend_dev_get_extra_bufts_t.self)
            var next = list(device)
            while let type = next?.pointee {
                found.append(BufferType(raw: type))
                next = next?.successor()
            }
        }
        if let plain = ggml_backend_dev_buffer_type(device) { found.append(BufferType(raw: plain)) }
        return found
    }
}
