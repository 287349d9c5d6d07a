import OmniAPI

extension ComponentLayout {
    /// UMT5's encoder as transformers writes it. Other T5 have one table of distances, in their first layer.
    static let umt5 = ComponentLayout(
        name: "UMT5", part: .textEncoder,
        marks: [
            [
                "shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight",
                "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight",
            ]
        ],
        names: { name, _ in
            // ComfyUI keeps the tokenizer in the file.
            if ["spiece_model", "encoder.embed_tokens.weight"].contains(name) { return [] }
            return name.hasPrefix(of: ["shared.", "encoder.block.", "encoder.final_layer_norm."]) ? [name] : nil
        },
        config: encoderConfig)

    /// UMT5's encoder in the names of the video model that it comes with (`umt5-xxl-enc-bf16.safetensors`).
    static let umt5Own = ComponentLayout(
        name: "UMT5", part: .textEncoder,
        marks: [["token_embedding.weight", "blocks.0.ffn.gate.0.weight", "blocks.1.pos_embedding.embedding.weight"]],
        names: { name, _ in
            switch name {
            case "token_embedding.weight": return ["shared.weight"]
            case "norm.weight": return ["encoder.final_layer_norm.weight"]
            default:
                guard name.hasPrefix("blocks."), let (own, theirs) = ownEncoderParts.first(where: { name.contains($0.0) }) else {
                    return nil
                }
                return ["encoder.block." + name.dropFirst("blocks.".count).replacing(own, with: theirs)]
            }
        },
        config: encoderConfig)

    private static let ownEncoderParts = [
        (".pos_embedding.embedding.", ".layer.0.SelfAttention.relative_attention_bias."), (".norm1.", ".layer.0.layer_norm."),
        (".attn.", ".layer.0.SelfAttention."), (".norm2.", ".layer.1.layer_norm."), (".ffn.gate.0.", ".layer.1.DenseReluDense.wi_0."),
        (".ffn.fc1.", ".layer.1.DenseReluDense.wi_1."), (".ffn.fc2.", ".layer.1.DenseReluDense.wo."),
    ]

    /// UMT5's encoder as llama.cpp writes it.
    static let umt5GGUF = ComponentLayout(
        name: "UMT5", part: .textEncoder, marks: [["token_embd.weight", "enc.blk.0.attn_q.weight", "enc.blk.1.attn_rel_b.weight"]],
        names: { name, _ in
            if name == "token_embd.weight" { return ["shared.weight"] }
            if name == "enc.output_norm.weight" { return ["encoder.final_layer_norm.weight"] }
            guard name.hasPrefix("enc.blk."), let (own, theirs) = llamaEncoderParts.first(where: { name.contains($0.0) }) else {
                return nil
            }
            return ["encoder.block." + name.dropFirst("enc.blk.".count).replacing(own, with: theirs)]
        },
        config: encoderConfig)

    private static let llamaEncoderParts = [
        (".attn_rel_b.", ".layer.0.SelfAttention.relative_attention_bias."), (".attn_norm.", ".layer.0.layer_norm."),
        (".attn_q.", ".layer.0.SelfAttention.q."), (".attn_k.", ".layer.0.SelfAttention.k."), (".attn_v.", ".layer.0.SelfAttention.v."),
        (".attn_o.", ".layer.0.SelfAttention.o."), (".ffn_norm.", ".layer.1.layer_norm."), (".ffn_gate.", ".layer.1.DenseReluDense.wi_0."),
        (".ffn_up.", ".layer.1.DenseReluDense.wi_1."), (".ffn_down.", ".layer.1.DenseReluDense.wo."),
    ]

    private static let encoderConfig: @Sendable (Shapes) throws -> JSONObject = { shapes in
        let attention = "encoder.block.0.layer.0.SelfAttention"
        let distances = try shapes.axes("\(attention).relative_attention_bias.weight")
        let heads = max(distances[0], 1)
        return JSONObject([
            ("d_model", try shapes.inputs("shared.weight")), ("d_kv", .int(try shapes.outputs("\(attention).q.weight") / heads)),
            ("d_ff", .int(try shapes.outputs("encoder.block.0.layer.1.DenseReluDense.wi_0.weight"))),
            ("num_layers", .int(shapes.count("encoder.block."))), ("num_heads", .int(heads)),
            ("vocab_size", .int(try shapes.outputs("shared.weight"))), ("relative_attention_num_buckets", .int(distances.last ?? 0)),
            ("relative_attention_max_distance", 128), ("layer_norm_epsilon", 1e-6), ("feed_forward_proj", "gated-gelu"),
        ])
    }
}
