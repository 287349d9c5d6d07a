import CLlama
import Foundation
import OmniAPI

/// What ggml reads from a GGUF, in the words of Tools/conversion/goldens.py.
struct GGUFContents {
    /// By key: type and value, of long arrays a checksum.
    var metadata: [String: JSONValue] = [:]
    /// By name: type, shape and checksum.
    var tensors: [String: JSONValue] = [:]

    init?(path: String) {
        // ggml writes its context there while it reads.
        let place = UnsafeMutablePointer<OpaquePointer?>.allocate(capacity: 1)
        place.initialize(to: nil)
        defer { place.deallocate() }
        guard let file = gguf_init_from_file(path, gguf_init_params(no_alloc: true, ctx: place)) else { return nil }
        let data = place.pointee
        defer {
            gguf_free(file)
            ggml_free(data)
        }
        for id in 0..<gguf_get_n_kv(file) { metadata[String(cString: gguf_get_key(file, id))] = Self.value(file, id) }
        guard let bytes = FileManager.default.contents(atPath: path) else { return nil }
        for id in 0..<gguf_get_n_tensors(file) {
            let name = String(cString: gguf_get_tensor_name(file, id))
            guard let tensor = ggml_get_tensor(data, name) else { return nil }
            let ne = tensor.pointee.ne, start = Int(gguf_get_data_offset(file) + gguf_get_tensor_offset(file, id))
            let shape = [ne.0, ne.1, ne.2, ne.3].prefix(Int(ggml_n_dims(tensor)))
            tensors[name] = JSONValue.object(
                JSONObject([
                    ("type", .string(String(cString: ggml_type_name(tensor.pointee.type)))), ("shape", .array(shape.map { .integer($0) })),
                    ("fnv1a", .string(Self.hex(bytes[start..<start + ggml_nbytes(tensor)].fnv1a))),
                ]))
        }
    }

    private static func hex(_ value: UInt64) -> String {
        String(repeating: "0", count: value.leadingZeroBitCount / 4) + (value == 0 ? "" : String(value, radix: 16))
    }

    private static func value(_ file: OpaquePointer, _ id: Int64) -> JSONValue {
        func typed(_ type: String, _ value: JSONValue) -> JSONValue { .object(JSONObject([("type", .string(type)), ("value", value)])) }
        switch gguf_get_kv_type(file, id) {
        case GGUF_TYPE_UINT32: return typed("uint32", .integer(Int64(gguf_get_val_u32(file, id))))
        case GGUF_TYPE_INT32: return typed("int32", .integer(Int64(gguf_get_val_i32(file, id))))
        case GGUF_TYPE_FLOAT32: return typed("float32", .number(Double(gguf_get_val_f32(file, id))))
        case GGUF_TYPE_BOOL: return typed("bool", .bool(gguf_get_val_bool(file, id)))
        case GGUF_TYPE_STRING: return typed("string", .string(String(cString: gguf_get_val_str(file, id))))
        default: break
        }
        let count = Int(gguf_get_arr_n(file, id))
        var parts: [[UInt8]] = [], name = "string", few: [JSONValue] = []
        switch gguf_get_arr_type(file, id) {
        case GGUF_TYPE_STRING: parts = (0..<count).map { Array(String(cString: gguf_get_arr_str(file, id, $0)).utf8) }
        case GGUF_TYPE_UINT8:
            name = "uint8"
            let values = UnsafeRawBufferPointer(start: gguf_get_arr_data(file, id), count: count)
            parts = values.map { value in withUnsafeBytes(of: Int64(value)) { Array($0) } }
        case GGUF_TYPE_BOOL:
            name = "bool"
            few = UnsafeRawBufferPointer(start: gguf_get_arr_data(file, id), count: count).prefix(16).map { .bool($0 != 0) }
        case GGUF_TYPE_INT32:
            name = "int32"
            let values = UnsafeRawBufferPointer(start: gguf_get_arr_data(file, id), count: count * 4).assumingMemoryBound(to: Int32.self)
            parts = values.map { value in withUnsafeBytes(of: Int64(value)) { Array($0) } }
            few = values.prefix(16).map { .integer(Int64($0)) }
        case GGUF_TYPE_FLOAT32:
            name = "float32"
            let values = UnsafeRawBufferPointer(start: gguf_get_arr_data(file, id), count: count * 4).assumingMemoryBound(to: Float.self)
            parts = values.map { value in withUnsafeBytes(of: value) { Array($0) } }
            few = values.prefix(16).map { .number(Double($0)) }
        default: return .null
        }
        if count <= 16, name == "string" {
            return typed("array:string", .array(parts.map { .string(String(decoding: $0, as: UTF8.self)) }))
        }
        if count <= 16, !few.isEmpty { return typed("array:\(name)", .array(few)) }
        let hash = hex(Array(parts.joined(separator: [0])).fnv1a)
        return typed("array:\(name)", .object(JSONObject([("count", .int(count)), ("fnv1a", .string(hash))])))
    }
}
