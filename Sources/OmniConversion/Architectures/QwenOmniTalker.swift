import OmniAPI

extension Architecture {
    /// Qwen2.5-Omni's talker: a decoder that takes what the thinker made of a token, as wide as the thinker is, and makes codes of sound.
    ///
    /// libllama runs it as a Qwen2-VL with a projection before the first layer (`scripts/patches/qwen2vl-talker.patch`).
    static let qwenOmniTalker = Architecture(
        classes: [], name: "qwen2vl",
        defaults: [
            "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0, "head_dim": 128,
            "tts_text_end_token_id": 151861, "tts_text_pad_token_id": 151859, "tts_codec_start_token_id": 8293,
            "tts_codec_end_token_id": 8294, "tts_codec_pad_token_id": 8292, "tts_codec_mask_token_id": 8296,
        ],
        prefixes: ["talker."],
        tensors: [
            TensorRule("model.embed_tokens", "token_embd"), TensorRule("thinker_to_talker_proj", "fc"),
            TensorRule("model.norm", "output_norm"),
            TensorRule("codec_head", "output"),
        ],
        layers: ("model.layers", decoderLayer()), unused: ["thinker.", "token2wav."],
        check: { config throws(ConversionError) in
            try config.require("hidden_act", "silu")
            try config.require("use_sliding_window", false)
            try config.require("tie_word_embeddings", false)
            guard ["default", "mrope"].contains(config.rope().type), config.rope().numbers("mrope_section")?.count == 3 else {
                throw config.unsupported("talker_config.rope_scaling must have an mrope_section of three numbers and no other scaling.")
            }
        },
        metadata: { config, metadata throws(ConversionError) in
            try decoderShape(config, &metadata)
            if let base = config.rope().base { metadata.set("rope.freq_base", base) }
            sectionMetadata(config, &metadata)
            metadata.set("embedding_length_in", try config.integer("embedding_size"))
            metadata.set("vocab_size", try config.integer("vocab_size"))
            metadata.setTokenizer("model", .string("none"))
            for key in TalkerKey.allCases { metadata[key.inFile] = .uint32(UInt32(try config.integer(key.rawValue))) }
        })
}

/// Tokens with a meaning of their own, as `talker_config` names them: of the thinker's vocabulary (`text`), and of the codes'.
public enum TalkerKey: String, CaseIterable, Sendable {
    case textEnd = "tts_text_end_token_id"
    case textPad = "tts_text_pad_token_id"
    case codecStart = "tts_codec_start_token_id"
    case codecEnd = "tts_codec_end_token_id"
    case codecPad = "tts_codec_pad_token_id"
    case codecMask = "tts_codec_mask_token_id"

    /// The key of a talker's GGUF.
    public var inFile: String { "omni.talker.\(rawValue)" }
}

extension Checkpoint {
    /// Whether the folder's `config.json` speaks of a talker, whole or not.
    public static func hasTalker(_ folder: String) -> Bool {
        guard let json = try? json("\(folder)/config.json") else { return false }
        return json["talker_config"]?.objectValue != nil && json["enable_audio_output"] != .bool(false)
    }

    /// The talker of a checkpoint that thinks and speaks. Throws ``ConversionError``.
    public static func talker(_ folder: String) throws(ConversionError) -> Checkpoint {
        let path = "\(folder)/config.json"
        guard let json = try json(path) else { throw ConversionError(.missing, path, "It is not there.") }
        guard let own = json["talker_config"]?.objectValue else { throw ConversionError(.unsupported, path, "It has no talker_config.") }
        let architecture = Architecture.qwenOmniTalker
        let config = Config(own, path: path, defaults: architecture.defaults)
        guard own["model_type"] == "qwen2_5_omni_talker" else {
            throw config.unsupported(
                "The talker is a \(own["model_type"]?.stringValue ?? "model without a name"), and only qwen2_5_omni_talker can be run.")
        }
        let width = json["thinker_config"]?["text_config"]?["hidden_size"]?.intValue
        guard try config.integer("embedding_size") == width else {
            throw ConversionError(
                .damaged, path,
                "talker_config.embedding_size is \(own["embedding_size"]?.jsonText ?? "null"), and the thinker's hidden_size another.")
        }
        return try Checkpoint(
            folder: folder, config: config, root: Config(json.objectValue ?? own, path: path), architecture: architecture, part: "talker")
    }
}

extension ConversionPlan {
    /// The GGUF of a talker, which has codes and no tokenizer. Throws ``ConversionError``.
    init(talker checkpoint: Checkpoint, type: String?) throws(ConversionError) {
        let (config, architecture) = (checkpoint.config, checkpoint.architecture)
        let table = try architecture.table(config)
        self.type = Self.named(type) ?? TensorMap.mainType(checkpoint, table)
        tensors = try TensorMap.plan(checkpoint, table, type: self.type, tokens: try config.integer("vocab_size"))
        var metadata = Metadata(architecture: architecture.name)
        Self.describe(tensors, self.type, name: "\(checkpoint.name) \(checkpoint.part)", in: &metadata)
        try architecture.metadata(config, &metadata)
        self.metadata = metadata
        layout = GGUFLayout(metadata, tensors)
    }
}

extension Conversion {
    /// The talker of the same checkpoint, stored alike; nil where it has none. Throws ``ConversionError``.
    public func ofTalker() throws(ConversionError) -> Conversion? {
        guard Checkpoint.hasTalker(checkpoint.folder) else { return nil }
        return Conversion(try Checkpoint.talker(checkpoint.folder), like: self)
    }
}
