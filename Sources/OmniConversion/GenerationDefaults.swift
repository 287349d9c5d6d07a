import OmniAPI

/// `generation_config.json`: what ends an answer, and how tokens are chosen where a request does not say.
struct GenerationDefaults: Sendable {
    /// Ids of tokens.
    let ends: [Int]
    private let json: JSONValue

    init(folder: String) throws(ConversionError) {
        json = try Checkpoint.json("\(folder)/generation_config.json") ?? .null
        let value = json["eos_token_id"]
        ends = value?.arrayValue?.compactMap(\.intValue) ?? value?.intValue.map { [$0] } ?? []
    }

    func write(to metadata: inout Metadata) {
        let numbers = [("temperature", "temp"), ("top_p", "top_p"), ("min_p", "min_p"), ("repetition_penalty", "penalty_repeat")]
        for (key, name) in numbers {
            if let value = json[key]?.doubleValue { metadata["general.sampling.\(name)"] = .float32(Float(value)) }
        }
        if let count = json["top_k"]?.intValue { metadata["general.sampling.top_k"] = .int32(Int32(clamping: count)) }
    }
}

/// The chat template of a checkpoint: in `tokenizer_config.json`, or in a file of its own.
enum ChatTemplateFile {
    static func text(folder: String, config: JSONObject?) throws(ConversionError) -> String? {
        if let template = config?["chat_template"], !template.isNull {
            if let text = template.stringValue { return text }
            // Several with names; `default` is what is used without one.
            let named = template.arrayValue ?? []
            return (named.first { $0["name"] == "default" } ?? named.first)?["template"]?.stringValue
        }
        if let text = Checkpoint.text("\(folder)/chat_template.jinja") { return text }
        return try Checkpoint.json("\(folder)/chat_template.json")?["chat_template"]?.stringValue
    }
}
