import CLlama
import Foundation
import OmniGGUF

/// The tensors of a GGUF file; the data stay in the file.
enum GGUF {
    static func entries(path: String) throws -> [WeightEntry] {
        let file = try WeightFile(path: path)
        let header: GGUFHeader
        do {
            header = try GGUFHeader(readingFrom: URL(fileURLWithPath: path))
        } catch {
            throw TensorError.file(path: path, reason: "is no GGUF file, or its header is broken: \(error)")
        }
        guard header.splitCount == 1 else {
            throw TensorError.file(path: path, reason: "is one of \(header.splitCount) files; merge them with llama-gguf-split")
        }
        return try header.tensors.map { try entry($0, file, start: Int(header.dataOffset)) }
    }

    private static func entry(_ tensor: GGUFTensor, _ file: WeightFile, start: Int) throws -> WeightEntry {
        func broken(_ reason: String) -> TensorError { .file(path: file.path, reason: "tensor \(tensor.name) \(reason)") }
        guard tensor.type < GGML_TYPE_COUNT.rawValue, ggml_blck_size(ggml_type(tensor.type)) > 0 else {
            throw broken("has the element type \(tensor.type), which is not supported")
        }
        let encoding = WeightEncoding.native(ElementType(raw: ggml_type(tensor.type)))
        guard !tensor.shape.isEmpty, tensor.shape.allSatisfy({ $0 > 0 }) else { throw broken("has the shape \(tensor.shape)") }
        let shape = Tensor.trimmed(tensor.shape.map(Int.init))
        guard let bytes = encoding.byteCount(shape) else { throw broken("has the shape \(shape), which \(encoding) cannot store") }
        guard start <= file.size, tensor.offset <= file.size - start, bytes <= file.size - start - Int(tensor.offset) else {
            throw broken("ends behind the file's \(file.size) bytes: it is cut short")
        }
        return WeightEntry(
            name: tensor.name, axes: shape, encoding: encoding, file: file, offset: start + Int(tensor.offset), byteCount: bytes)
    }
}
