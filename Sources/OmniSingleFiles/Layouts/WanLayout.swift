import OmniAPI

extension ComponentLayout {
    /// Wan in its publisher's names, which ComfyUI's files and GGUFs keep, or in diffusers'.
    static let wan = ComponentLayout(
        name: "Wan", part: .transformer,
        marks: [
            ["head.modulation", "blocks.0.self_attn.norm_q.weight", "text_embedding.2.weight"],
            ["scale_shift_table", "blocks.0.attn1.norm_q.weight", "condition_embedder.text_embedder.linear_2.weight"],
        ],
        names: { name, shapes in
            guard shapes.has("head.modulation") else { return name.hasPrefix(of: diffusers) ? [name] : nil }
            if name == "head.modulation" { return ["scale_shift_table"] }
            if let (own, theirs) = outer.first(where: { name.hasPrefix($0.0) }) { return [theirs + name.dropFirst(own.count)] }
            guard name.hasPrefix("blocks.") else { return nil }
            if name.hasSuffix(".modulation") { return [name.dropLast("modulation".count) + "scale_shift_table"] }
            guard let (own, theirs) = inner.first(where: { name.contains($0.0) }) else { return nil }
            return [name.replacing(own, with: theirs).replacing(attention)]
        },
        config: { shapes in
            let (patch, dim) = (try shapes.axes("patch_embedding.weight"), try shapes.outputs("patch_embedding.bias"))
            guard patch.count >= 4, patch[..<3] == [2, 2, 1] else {
                throw SingleFileError(shapes.source, "has patches of \(patch), which are not 2 by 2 of one frame")
            }
            let sees = shapes.has("condition_embedder.image_embedder.norm1.weight")
            var config = JSONObject([
                ("patch_size", [1, 2, 2]), ("in_channels", .int(patch[3...].reduce(1, *) / max(dim, 1))),
                ("out_channels", .int(try shapes.outputs("proj_out.weight") / 4)),
                ("ffn_dim", .int(try shapes.outputs("blocks.0.ffn.net.0.proj.weight"))), ("num_layers", .int(shapes.count("blocks."))),
                ("text_dim", try shapes.inputs("condition_embedder.text_embedder.linear_1.weight")),
                ("freq_dim", try shapes.inputs("condition_embedder.time_embedder.linear_1.weight")),
                ("cross_attn_norm", .bool(shapes.has("blocks.0.norm2.weight"))), ("qk_norm", "rms_norm_across_heads"), ("eps", 1e-6),
                ("image_dim", sees ? try shapes.inputs("condition_embedder.image_embedder.norm1.weight") : .null),
                ("added_kv_proj_dim", sees ? try shapes.inputs("blocks.0.attn2.add_k_proj.weight") : .null),
            ])
            // Queries are normalized over all heads together: no shape tells how many there are.
            if dim % 128 == 0 {
                config["attention_head_dim"] = 128
                config["num_attention_heads"] = .int(dim / 128)
            }
            return config
        },
        open: ["attention_head_dim", "num_attention_heads"])

    private static let diffusers = ["patch_embedding.", "condition_embedder.", "blocks.", "proj_out.", "scale_shift_table"]
    private static let outer = [
        ("patch_embedding.", "patch_embedding."), ("time_embedding.0.", "condition_embedder.time_embedder.linear_1."),
        ("time_embedding.2.", "condition_embedder.time_embedder.linear_2."),
        ("text_embedding.0.", "condition_embedder.text_embedder.linear_1."),
        ("text_embedding.2.", "condition_embedder.text_embedder.linear_2."), ("time_projection.1.", "condition_embedder.time_proj."),
        ("head.head.", "proj_out."), ("img_emb.proj.0.", "condition_embedder.image_embedder.norm1."),
        ("img_emb.proj.1.", "condition_embedder.image_embedder.ff.net.0.proj."),
        ("img_emb.proj.3.", "condition_embedder.image_embedder.ff.net.2."), ("img_emb.proj.4.", "condition_embedder.image_embedder.norm2."),
    ]
    /// The second and the third norm have each other's number; the others have no weights.
    private static let inner = [
        (".self_attn.", ".attn1."), (".cross_attn.", ".attn2."), (".ffn.0.", ".ffn.net.0.proj."), (".ffn.2.", ".ffn.net.2."),
        (".norm3.", ".norm2."),
    ]
    private static let attention = [
        (".q.", ".to_q."), (".k.", ".to_k."), (".v.", ".to_v."), (".o.", ".to_out.0."), (".k_img.", ".add_k_proj."),
        (".v_img.", ".add_v_proj."), (".norm_k_img.", ".norm_added_k."),
    ]
}
