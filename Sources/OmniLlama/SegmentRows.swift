import CLlama
import Foundation
import OmniAPI

/// Input vectors of a BERT for the tokens of a pair's second text.
///
/// BERT adds one of two learned vectors to each token, by the text of the pair that it is of (`token_type_ids`). libllama always adds the
/// first. A token's vector with the second one added and the first taken away gives the same sum, and may go in instead of the token.
package final class SegmentRows {
    /// Numbers of a vector.
    package let width: Int
    private let file: FileHandle
    private let tokens: Table
    /// The second type's vector less the first's.
    private let difference: [Float]

    /// A tensor of rows in the file.
    private struct Table {
        let type: ggml_type
        let width: Int
        let rows: Int
        let offset: Int
        var rowBytes: Int { ggml_row_size(type, Int64(width)) }
    }

    /// Nil for a model that knows no second type of token, or whose file cannot be read so.
    package init?(path: String) {
        var shapes: OpaquePointer?
        let handle = withUnsafeMutablePointer(to: &shapes) { gguf_init_from_file(path, gguf_init_params(no_alloc: true, ctx: $0)) }
        guard let handle, let shapes else { return nil }
        defer {
            ggml_free(shapes)
            gguf_free(handle)
        }
        func table(_ name: String) -> Table? {
            let index = gguf_find_tensor(handle, name)
            guard index >= 0, let tensor = ggml_get_tensor(shapes, name)?.pointee, ggml_n_dims(ggml_get_tensor(shapes, name)) <= 2 else {
                return nil
            }
            return Table(
                type: tensor.type, width: Int(tensor.ne.0), rows: Int(tensor.ne.1),
                offset: Int(gguf_get_data_offset(handle) + gguf_get_tensor_offset(handle, index)))
        }
        guard let tokens = table("token_embd.weight"), let types = table("token_types.weight"), types.rows >= 2,
            types.width == tokens.width, let file = FileHandle(forReadingAtPath: path),
            let first = Self.row(0, of: types, in: file), let second = Self.row(1, of: types, in: file)
        else { return nil }
        (self.tokens, self.file, width) = (tokens, file, tokens.width)
        difference = zip(second, first).map { $0 - $1 }
    }

    /// The vector of a token, of the second text where `isSecond`. Throws ``APIError`` when the file cannot be read any more.
    package func vector(of token: Token, isSecond: Bool) throws -> [Float] {
        guard let row = Self.row(Int(token), of: tokens, in: file) else {
            throw APIError(.internalError, "The model's file cannot be read any more.")
        }
        return isSecond ? zip(row, difference).map { $0 + $1 } : row
    }

    private static func row(_ index: Int, of table: Table, in file: FileHandle) -> [Float]? {
        guard index >= 0, index < table.rows, (try? file.seek(toOffset: UInt64(table.offset + index * table.rowBytes))) != nil,
            let bytes = try? file.read(upToCount: table.rowBytes), bytes.count == table.rowBytes
        else { return nil }
        var values = [Float](repeating: 0, count: table.width)
        bytes.withUnsafeBytes { source in
            if table.type == GGML_TYPE_F32 {
                values.withUnsafeMutableBytes { $0.copyMemory(from: source) }
            } else if let decode = ggml_get_type_traits(table.type)?.pointee.to_float {
                decode(source.baseAddress, &values, Int64(table.width))
            }
        }
        return values
    }
}
