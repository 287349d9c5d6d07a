/// A low-rank adapter for a language model: the name by which requests ask for it, and where it lies. vLLM's JSON form of
/// `--lora-modules`.
public struct LoRAModule: WireObject, Hashable {
    public var name = ""
    /// A GGUF file, or a folder as PEFT writes it, on the server's disk.
    public var path = ""
    /// The served model that it belongs to; nil where there is only one.
    public var baseModelName: String?

    public init() {}

    public init(name: String, path: String, baseModelName: String? = nil) {
        (self.name, self.path, self.baseModelName) = (name, path, baseModelName)
    }

    public static var fields: [Field<LoRAModule>] {
        [
            .required("name", \.name, .string(length: 1...256)), .required("path", \.path, .string(length: 1...4096)),
            .optional("base_model_name", \.baseModelName, .string),
        ]
    }
}

/// `POST /v1/load_lora_adapter`.
public struct LoadLoRARequest: WireObject {
    public var name = ""
    public var path = ""
    /// Replaces the adapter of that name.
    public var inPlace = false
    public var baseModelName: String?

    public init() {}

    public static var fields: [Field<LoadLoRARequest>] {
        [
            .required("lora_name", \.name, .string(length: 1...256), "The model's name in requests."),
            .required("lora_path", \.path, .string(length: 1...4096), "A GGUF file, or a folder as PEFT writes it, on the server's disk."),
            .with(default: false, "load_inplace", \.inPlace, .bool, "Replaces the adapter that has this name."),
            .optional(
                "base_model_name", \.baseModelName, .string, "The served model that it belongs to; the default text model when absent."),
        ]
    }
}

/// `POST /v1/unload_lora_adapter`.
public struct UnloadLoRARequest: WireObject {
    public var name = ""
    public var id: Int?

    public init() {}

    public static var fields: [Field<UnloadLoRARequest>] {
        [
            .required("lora_name", \.name, .string(length: 1...256)),
            .optional("lora_int_id", \.id, .integer(), "Not used: adapters go by their names."),
        ]
    }
}
