import OmniAPI

extension Architecture {
    /// BERT and what was made from it: MiniLM, BGE, E5, GTE … The pooler and the heads of pre-training are left out.
    static let bert = Architecture(
        classes: ["BertModel", "BertForMaskedLM"], name: "bert", isEmbedding: true,
        defaults: ["max_position_embeddings": 512, "layer_norm_eps": 1e-12, "type_vocab_size": 2, "hidden_act": "gelu"],
        prefixes: ["bert."],
        tensors: [
            TensorRule("embeddings.word_embeddings", "token_embd", rows: .tokens),
            TensorRule("embeddings.position_embeddings", "position_embd"),
            TensorRule("embeddings.token_type_embeddings", "token_types"), TensorRule("embeddings.LayerNorm", "token_embd_norm"),
        ],
        layers: (
            "encoder.layer",
            [
                TensorRule("attention.self.query", "attn_q"), TensorRule("attention.self.key", "attn_k"),
                TensorRule("attention.self.value", "attn_v"),
                TensorRule("attention.output.dense", "attn_output"), TensorRule("attention.output.LayerNorm", "attn_output_norm"),
                TensorRule("intermediate.dense", "ffn_up"), TensorRule("output.dense", "ffn_down"),
                TensorRule("output.LayerNorm", "layer_output_norm"),
            ]
        ),
        unused: ["pooler.", "cls.", "embeddings.position_ids"],
        check: { config throws(ConversionError) in
            try config.require("hidden_act", "gelu")
            try config.require("position_embedding_type", "absolute")
            try config.require("is_decoder", false)
        },
        metadata: { config, metadata throws(ConversionError) in
            try decoderMetadata(config, &metadata)
            metadata.set("attention.causal", .bool(false))
            metadata.setTokenizer("token_type_count", .uint32(UInt32(clamping: try config.integer("type_vocab_size"))))
        })
}
