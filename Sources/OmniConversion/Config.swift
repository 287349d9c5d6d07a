import OmniAPI

/// `config.json` of a checkpoint. What it leaves out, or says is null, is what the model's class in transformers would take.
struct Config: Sendable {
    let path: String
    private let object: JSONObject
    private let defaults: [String: JSONValue]

    init(_ object: JSONObject, path: String, defaults: [String: JSONValue] = [:]) {
        (self.object, self.path, self.defaults) = (object, path, defaults)
    }

    subscript(key: String) -> JSONValue? {
        if let value = object[key], !value.isNull { return value }
        return defaults[key]
    }

    /// All that is said at the top, and in place of it what the first of `sections` says that is there. Empty for no sections.
    static func merged(_ root: JSONObject, _ sections: [[String]]) -> JSONObject {
        let own = sections.lazy.compactMap { keys in keys.reduce(JSONValue.object(root)) { $0?[$1] ?? .null }?.objectValue }.first
        var all = root
        for (key, value) in own?.members ?? [] { all[key] = value }
        return all
    }

    /// What stands under `key`, with errors that name the file.
    func section(_ key: String, _ defaults: [String: JSONValue] = [:]) throws(ConversionError) -> Config {
        guard let own = self[key]?.objectValue else { throw wrong(key, "an object") }
        return Config(own, path: path, defaults: defaults)
    }

    /// The class of the model, as `architectures` names it.
    var className: String? { object["architectures"]?[0]?.stringValue }

    func integer(_ key: String) throws(ConversionError) -> Int {
        guard let value = self[key]?.intValue, value >= 0, value <= Int(UInt32.max) else { throw wrong(key, "a whole number") }
        return value
    }

    func number(_ key: String) throws(ConversionError) -> Double {
        guard let value = self[key]?.doubleValue else { throw wrong(key, "a number") }
        return value
    }

    func flag(_ key: String) -> Bool { self[key]?.boolValue ?? false }

    private func wrong(_ key: String, _ kind: String) -> ConversionError {
        let found = self[key].map { "is \($0.jsonText)" } ?? "is not there"
        return ConversionError(.damaged, path, "\(key) must be \(kind), and \(found).")
    }

    func unsupported(_ reason: String) -> ConversionError { ConversionError(.unsupported, path, reason) }
}

extension Config {
    /// Refuses what the network of libllama would compute in another way.
    func require(_ key: String, _ allowed: JSONValue...) throws(ConversionError) {
        guard let value = self[key], !allowed.contains(value) else { return }
        throw unsupported("\(key) is \(value.jsonText), and only \(allowed.map(\.jsonText).joined(separator: " or ")) can be run.")
    }

    var heads: Int { get throws(ConversionError) { max(try integer("num_attention_heads"), 1) } }
    var keyValueHeads: Int {
        get throws(ConversionError) { try self["num_key_value_heads"] == nil ? heads : max(integer("num_key_value_heads"), 1) }
    }
    var headLength: Int {
        get throws(ConversionError) { try self["head_dim"] == nil ? integer("hidden_size") / heads : integer("head_dim") }
    }

    /// How positions become angles: `rope_parameters` of newer files, or `rope_scaling` and `rope_theta` beside each other. With
    /// `kind`, what a model of two kinds of layers (`full_attention`, `sliding_attention`) says of that one.
    func rope(_ kind: String? = nil) -> Rope {
        let newer = self["rope_parameters"]?.objectValue
        let own = kind.flatMap { newer?[$0]?.objectValue } ?? newer ?? self["rope_scaling"]?.objectValue ?? JSONObject()
        return Rope(values: own, base: own["rope_theta"]?.doubleValue ?? self["rope_theta"]?.doubleValue)
    }
}

/// The parameters of rotary positions.
struct Rope {
    let values: JSONObject
    /// `rope_theta`.
    let base: Double?

    /// `default`, `linear`, `llama3`, `yarn`, `longrope` … in lower case.
    var type: String { (values["rope_type"] ?? values["type"])?.stringValue?.lowercased() ?? "default" }
    func number(_ key: String) -> Double? { values[key]?.doubleValue }
    func numbers(_ key: String) -> [Double]? { values[key]?.arrayValue?.compactMap(\.doubleValue) }
}
