/// A low-rank adapter that a request asks for.
public struct LoRAReference: WireObject, Equatable {
    public var name = ""
    /// On the server's disk.
    public var path = ""
    public var scale = 1.0
    public var id: Int?

    public static var schemaName: String { "LoRA" }
    public init() {}

    public static var fields: [Field<LoRAReference>] {
        [
            .required("name", \.name, .string(length: 1...256), aliases: ["lora_name", "adapter"]),
            .required("local_path", \.path, .string(length: 1...4096), aliases: ["path", "lora_path", "lora_local_path"]),
            .with(default: 1, "scale", \.scale, .number(-100...100), aliases: ["lora_scale"]),
            .optional("int_id", \.id, .integer(), aliases: ["lora_int_id"]),
        ]
    }
}

extension WireType where Value == [LoRAReference] {
    /// One adapter, or several that work together. One is sent as such: other servers take no list.
    static var adapters: WireType {
        let (one, list) = (WireType<LoRAReference>.object(), WireType.oneOrList(of: .object(), count: 1...16))
        return WireType(
            decode: list.decode, encode: { $0.count == 1 ? one.encode($0[0]) : list.encode($0) }, schema: list.schema)
    }
}
