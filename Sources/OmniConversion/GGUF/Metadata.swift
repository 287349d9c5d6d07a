/// Keys and values of a GGUF in the order they were first set.
struct Metadata: Sendable {
    private(set) var keys: [String] = []
    private(set) var values: [String: MetadataValue] = [:]
    /// `general.architecture`, which most keys begin with.
    let architecture: String

    /// `type` is `model` or `mmproj`.
    init(architecture: String, type: String = "model") {
        self.architecture = architecture
        self["general.architecture"] = .string(architecture)
        self["general.type"] = .string(type)
    }

    subscript(key: String) -> MetadataValue? {
        get { values[key] }
        set {
            if values[key] == nil, newValue != nil { keys.append(key) }
            if newValue == nil { keys.removeAll { $0 == key } }
            values[key] = newValue
        }
    }

    /// A key of this architecture: `llama.` and `key`.
    mutating func set(_ key: String, _ value: MetadataValue) { self["\(architecture).\(key)"] = value }
    mutating func set(_ key: String, _ value: Int) { set(key, .uint32(UInt32(clamping: value))) }
    mutating func set(_ key: String, _ value: Double) { set(key, .float32(Float(value))) }

    /// A key of the tokenizer: `tokenizer.ggml.` and `key`.
    mutating func setTokenizer(_ key: String, _ value: MetadataValue) { self["tokenizer.ggml.\(key)"] = value }
}
