import CLlama
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Rows of a tensor in a GGUF as f32, read where they lie: a table of embeddings has gigabytes, and few of its rows are wanted.
package final class TensorRows: Sendable {
    /// Numbers of a row.
    package let width: Int
    package let count: Int
    private let type: ggml_type
    private let offset: Int
    private let descriptor: Int32

    private var rowBytes: Int { ggml_row_size(type, Int64(width)) }

    /// Nil where the file at `path`, or for a model in several files one beside it, has no such tensor of at most two axes.
    package init?(path: String, tensor name: String) {
        for file in Self.files(path) {
            guard let place = Self.place(of: name, in: file) else { continue }
            let descriptor = open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return nil }
            self.descriptor = descriptor
            (type, width, count, offset) = place
            return
        }
        return nil
    }

    deinit { close(descriptor) }

    /// Nil for a row that is not there, and where the file cannot be read any more.
    package func row(_ index: Int) -> [Float]? {
        guard index >= 0, index < count else { return nil }
        let length = rowBytes
        var values = [Float](repeating: 0, count: width)
        let isRead = withUnsafeTemporaryAllocation(byteCount: length, alignment: 32) { bytes in
            var done = 0
            while done < length {
                let read = pread(descriptor, bytes.baseAddress?.advanced(by: done), length - done, off_t(offset + index * length + done))
                if read < 0, errno == EINTR { continue }
                guard read > 0 else { return false }
                done += read
            }
            if type == GGML_TYPE_F32 {
                values.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(bytes)) }
            } else if let decode = ggml_get_type_traits(type)?.pointee.to_float {
                decode(bytes.baseAddress, &values, Int64(width))
            }
            return true
        }
        return isRead ? values : nil
    }

    private static func place(of name: String, in path: String) -> (ggml_type, Int, Int, Int)? {
        var shapes: OpaquePointer?
        let handle = withUnsafeMutablePointer(to: &shapes) { gguf_init_from_file(path, gguf_init_params(no_alloc: true, ctx: $0)) }
        guard let handle, let shapes else { return nil }
        defer {
            ggml_free(shapes)
            gguf_free(handle)
        }
        let index = gguf_find_tensor(handle, name)
        guard index >= 0, let tensor = ggml_get_tensor(shapes, name), ggml_n_dims(tensor) <= 2 else { return nil }
        return (
            tensor.pointee.type, Int(tensor.pointee.ne.0), Int(tensor.pointee.ne.1),
            Int(gguf_get_data_offset(handle) + gguf_get_tensor_offset(handle, index))
        )
    }

    /// `path`, and of `…-00001-of-00003.gguf` the others.
    private static func files(_ path: String) -> [String] {
        guard let match = path.firstMatch(of: /^(.*-)\d{5}-of-(\d{5})\.gguf$/), let count = Int(match.output.2), count < 1000 else {
            return [path]
        }
        return (1...max(count, 1)).map { String(format: "%@%05d-of-%@.gguf", String(match.output.1), $0, String(match.output.2)) }
    }
}
