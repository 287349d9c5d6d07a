import OmniAPI

extension Architecture {
    /// BERT and what was made from it: MiniLM, BGE, E5, GTE … The pooler and the heads of pre-training are left out.
    static let bert = Architecture(
        classes: ["BertModel", "BertForMaskedLM"], name: "bert", isEmbedding: true,
        defaults: bertDefaults, prefixes: ["bert."], tensors: bertTensors(), layers: ("encoder.layer", bertLayer),
        unused: ["pooler.", "cls.", "embeddings.position_ids"], check: checkBert, metadata: bertMetadata)

    /// A BERT that tells classes of texts, or of pairs: cross encoders such as MS MARCO's MiniLM. Its pooler goes in as the head's first
    /// layer: the converter of llama.cpp leaves it out, and libllama then computes other scores than transformers.
    static let bertClassifier = Architecture(
        classes: ["BertForSequenceClassification"], name: "bert", isClassifier: true,
        defaults: bertDefaults, prefixes: ["bert."],
        tensors: bertTensors() + [TensorRule("pooler.dense", "cls"), TensorRule("classifier", "cls.output")],
        layers: ("encoder.layer", bertLayer), unused: ["embeddings.position_ids"], check: checkBert,
        metadata: { config, metadata throws(ConversionError) in
            try bertMetadata(config, &metadata)
            try classifierMetadata(config, &metadata)
        })

    /// XLM-RoBERTa, multilingual: BGE-M3, multilingual E5.
    static let xlmRoberta = Architecture(
        classes: ["XLMRobertaModel", "XLMRobertaForMaskedLM"], name: "bert", isEmbedding: true,
        defaults: robertaDefaults, prefixes: ["roberta."], tensors: bertTensors(positions: .positions),
        layers: ("encoder.layer", bertLayer),
        unused: ["pooler.", "lm_head.", "embeddings.position_ids"], check: checkBert, metadata: robertaMetadata)

    /// The same with a head for classes: BGE's rerankers.
    static let xlmRobertaClassifier = Architecture(
        classes: ["XLMRobertaForSequenceClassification"], name: "bert", isClassifier: true,
        defaults: robertaDefaults, prefixes: ["roberta."],
        tensors: bertTensors(positions: .positions) + [
            TensorRule("classifier.dense", "cls"), TensorRule("classifier.out_proj", "cls.output"),
        ],
        layers: ("encoder.layer", bertLayer), unused: ["pooler.", "embeddings.position_ids"], check: checkBert,
        metadata: { config, metadata throws(ConversionError) in
            try robertaMetadata(config, &metadata)
            try classifierMetadata(config, &metadata)
        })

    private static let bertDefaults: [String: JSONValue] = [
        "max_position_embeddings": 512, "layer_norm_eps": 1e-12, "type_vocab_size": 2, "hidden_act": "gelu",
    ]
    private static let robertaDefaults = bertDefaults.merging(["pad_token_id": 1]) { $1 }

    private static func bertTensors(positions: TensorRule.Rows = .asIs) -> [TensorRule] {
        [
            TensorRule("embeddings.word_embeddings", "token_embd", rows: .tokens),
            TensorRule("embeddings.position_embeddings", "position_embd", rows: positions),
            TensorRule("embeddings.token_type_embeddings", "token_types"), TensorRule("embeddings.LayerNorm", "token_embd_norm"),
        ]
    }

    private static let bertLayer = [
        TensorRule("attention.self.query", "attn_q"), TensorRule("attention.self.key", "attn_k"),
        TensorRule("attention.self.value", "attn_v"),
        TensorRule("attention.output.dense", "attn_output"), TensorRule("attention.output.LayerNorm", "attn_output_norm"),
        TensorRule("intermediate.dense", "ffn_up"), TensorRule("output.dense", "ffn_down"),
        TensorRule("output.LayerNorm", "layer_output_norm"),
    ]

    @Sendable private static func checkBert(_ config: Config) throws(ConversionError) {
        try config.require("hidden_act", "gelu")
        try config.require("position_embedding_type", "absolute")
        try config.require("is_decoder", false)
    }

    @Sendable private static func bertMetadata(_ config: Config, _ metadata: inout Metadata) throws(ConversionError) {
        try decoderMetadata(config, &metadata)
        metadata.set("attention.causal", .bool(false))
        metadata.setTokenizer("token_type_count", .uint32(UInt32(clamping: try config.integer("type_vocab_size"))))
    }

    @Sendable private static func robertaMetadata(_ config: Config, _ metadata: inout Metadata) throws(ConversionError) {
        try bertMetadata(config, &metadata)
        metadata.set("context_length", max(try config.integer("max_position_embeddings") - config.unusedPositions, 0))
    }

    /// The names of the classes, and what makes probabilities of their logits where the checkpoint says it: sentence-transformers'
    /// activation, or the problem that the head was trained for.
    private static func classifierMetadata(_ config: Config, _ metadata: inout Metadata) throws(ConversionError) {
        let named = config["id2label"]?.objectValue?.members.compactMap { key, value in
            Int(key).map { (id: $0, label: value.stringValue ?? key) }
        }
        let labels = (named ?? []).sorted { $0.id < $1.id }.map(\.label)
        metadata.set("classifier.output_labels", .strings(labels.isEmpty ? ["LABEL_0", "LABEL_1"] : labels))
        let path =
            config["sentence_transformers"]?["activation_fn"]?.stringValue ?? config["sbert_ce_default_activation_function"]?.stringValue
        let activations = ["Identity": "identity", "Sigmoid": "sigmoid", "Softmax": "softmax"]
        let problems = ["regression": "identity", "multi_label_classification": "sigmoid", "single_label_classification": "softmax"]
        if let path {
            guard let activation = activations[String(path.split(separator: ".").last ?? "")] else {
                throw config.unsupported("Its scores go through \(path), which is not known here.")
            }
            metadata[activationKey] = .string(activation)
        } else if let problem = config["problem_type"]?.stringValue, let activation = problems[problem] {
            metadata[activationKey] = .string(labels.count == 1 && activation == "softmax" ? "sigmoid" : activation)
        }
    }

    /// A key of ours: GGUF has none for it.
    private static let activationKey = "omni.classifier.activation"
}

extension Config {
    /// Rows of the table of positions before the first one that a token can have: RoBERTa counts from behind the padding's id.
    var unusedPositions: Int { get throws(ConversionError) { try integer("pad_token_id") + 1 } }
}
