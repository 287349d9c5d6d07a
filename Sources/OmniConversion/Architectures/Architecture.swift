import OmniAPI

/// What is known of a kind of network: one table, in a file of its own, with a line in ``Architecture/all``.
struct Architecture: Sendable {
    /// Classes of transformers, as `architectures` in `config.json` names them.
    let classes: [String]
    /// What libllama calls it: `general.architecture`.
    let name: String
    /// What the model, or a heading of its README, is called where it has the class of another kind of network; in small letters.
    var title: String?
    /// Makes vectors, not text.
    var isEmbedding = false
    /// Tells classes of texts or of pairs.
    var isClassifier = false
    /// Tokens whose rows of the head are all that is kept of it: the next one says how well a pair of texts fits.
    var answers: [String] = []
    /// Where `config.json` describes the language model, where that is not the whole of it; the first that is there.
    var sections: [[String]] = []
    /// The encoders of pictures and sound that belong to it.
    var projector: Projector?
    /// What `config.json` may leave out: the class's own choice.
    var defaults: [String: JSONValue] = [:]
    /// What the names of all tensors may begin with.
    var prefixes: [String] = []
    /// Tensors outside the layers.
    let tensors: [TensorRule]
    /// What comes before the number of a layer, and the tensors of each.
    let layers: (prefix: String, rules: [TensorRule])
    /// Beginnings of the names of tensors that are not needed.
    var unused: [String] = []
    /// The name of the pre-tokenizer where several have the same rules; the checkpoint's own otherwise.
    var preTokenizer: [String: String] = [:]
    /// Says what `add_prefix_space` of `tokenizer_config.json` is, as the converter of llama.cpp does for these.
    var saysPrefixSpace = false
    /// Refuses what libllama would compute differently.
    var check: @Sendable (Config) throws(ConversionError) -> Void = { _ throws(ConversionError) in }
    /// Keys of the GGUF, from `config.json`.
    let metadata: @Sendable (Config, inout Metadata) throws(ConversionError) -> Void
    /// Tensors that are computed from `config.json`.
    var generated: @Sendable (Config) throws(ConversionError) -> [String: [Float]] = { _ throws(ConversionError) in [:] }

    /// The tensors of the language model that `config` describes.
    func table(_ config: Config) throws(ConversionError) -> TensorTable {
        let values = try generated(config).sorted { $0.key < $1.key }
        return TensorTable(
            network: name, prefixes: prefixes, unused: unused + (projector?.used ?? []),
            generated: values.map { TensorPlan(name: $0.key, shape: [$0.value.count], type: .f32, content: .values($0.value)) },
            tensors: tensors,
            layers: [.init(source: layers.prefix, target: "blk", count: try config.integer("num_hidden_layers"), rules: layers.rules)],
            wantsHead: tensors.contains { $0.source == "lm_head" } && !config.flag("tie_word_embeddings"))
    }
}

extension Architecture {
    /// The registry.
    static let all: [Architecture] = [
        .llama, .qwen2, .qwen3Reranker, .qwen3, .qwen3Embedding, .qwen3MoE, .gemma3, .phi3, .smolLM3, .granite, .bert, .bertClassifier,
        .xlmRoberta, .xlmRobertaClassifier, .qwen2VL,
        .qwen25VL, .qwen3VL, .qwen25Omni,
    ]

    /// The architecture of a class; `titles` are what the checkpoint is called, in small letters. Throws ``ConversionError`` with the known
    /// ones.
    static func of(class name: String?, path: String, titles: [String] = []) throws(ConversionError) -> Architecture {
        func fits(_ architecture: Architecture) -> Bool {
            guard let title = architecture.title else { return true }
            return titles.contains { $0.contains(title) }
        }
        if let found = all.first(where: { $0.classes.contains(name ?? "") && fits($0) }) { return found }
        let known = Set(all.flatMap(\.classes)).sorted().joined(separator: ", ")
        throw ConversionError(
            .unsupported, path, name.map { "\($0) is no architecture that can be converted." } ?? "\"architectures\" names no model.",
            remedy: "Known are: \(known). Of many others the Hub has a GGUF.")
    }

    /// The names of what language models of the `llama` kind have in common.
    static let decoderTensors = [
        TensorRule("model.embed_tokens", "token_embd", rows: .tokens), TensorRule("model.norm", "output_norm"),
        TensorRule("lm_head", "output", rows: .tokens, isOptional: true),
    ]

    /// A layer with norms before attention and feed-forward, and a gate.
    static func decoderLayer(permuted: Bool = false) -> [TensorRule] {
        [
            TensorRule("input_layernorm", "attn_norm"), TensorRule("self_attn.q_proj", "attn_q", rows: permuted ? .queries : .asIs),
            TensorRule("self_attn.k_proj", "attn_k", rows: permuted ? .keys : .asIs), TensorRule("self_attn.v_proj", "attn_v"),
            TensorRule("self_attn.o_proj", "attn_output"), TensorRule("post_attention_layernorm", "ffn_norm"),
            TensorRule("mlp.gate_proj", "ffn_gate"),
            TensorRule("mlp.up_proj", "ffn_up"), TensorRule("mlp.down_proj", "ffn_down"),
        ]
    }

    /// Adds what most architectures say of themselves.
    static func decoderMetadata(_ config: Config, _ metadata: inout Metadata) throws(ConversionError) {
        try decoderShape(config, &metadata)
        try ropeMetadata(config, config.rope("full_attention"), &metadata)
    }

    /// The same without rotary positions.
    static func decoderShape(_ config: Config, _ metadata: inout Metadata) throws(ConversionError) {
        metadata.set("block_count", try config.integer("num_hidden_layers"))
        metadata.set("context_length", try config.integer("max_position_embeddings"))
        metadata.set("embedding_length", try config.integer("hidden_size"))
        metadata.set("feed_forward_length", try config.integer("intermediate_size"))
        metadata.set("attention.head_count", try config.heads)
        if config["num_key_value_heads"] != nil { metadata.set("attention.head_count_kv", try config.keyValueHeads) }
        if config["rms_norm_eps"] != nil { metadata.set("attention.layer_norm_rms_epsilon", try config.number("rms_norm_eps")) }
        if config["layer_norm_eps"] != nil { metadata.set("attention.layer_norm_epsilon", try config.number("layer_norm_eps")) }
        if config["head_dim"] != nil {
            metadata.set("attention.key_length", try config.integer("head_dim"))
            metadata.set("attention.value_length", try config.integer("head_dim"))
        }
    }

    /// What is said of rotary positions. A type that nothing here handles is refused.
    private static func ropeMetadata(_ config: Config, _ rope: Rope, _ metadata: inout Metadata) throws(ConversionError) {
        if let base = rope.base { metadata.set("rope.freq_base", base) }
        switch rope.type {
        case "default", "llama3", "longrope", "su": break
        case "mrope" where metadata.architecture.hasSuffix("vl"): break
        case "linear":
            metadata.set("rope.scaling.type", .string("linear"))
            metadata.set("rope.scaling.factor", rope.number("factor") ?? 1)
        case "yarn":
            guard let factor = rope.number("factor"), let original = rope.number("original_max_position_embeddings") else {
                throw config.unsupported("Its yarn scaling lacks factor or original_max_position_embeddings.")
            }
            metadata.set("rope.scaling.type", .string("yarn"))
            metadata.set("rope.scaling.factor", factor)
            metadata.set("rope.scaling.original_context_length", Int(original))
            let further = [
                ("extrapolation_factor", "yarn_ext_factor"), ("attention_factor", "yarn_attn_factor"), ("beta_fast", "yarn_beta_fast"),
                ("beta_slow", "yarn_beta_slow"),
            ]
            for (key, name) in further { if let value = rope.number(key) { metadata.set("rope.scaling.\(name)", value) } }
        case let other: throw config.unsupported("Rotary positions of the type \(other) cannot be run.")
        }
    }
}
