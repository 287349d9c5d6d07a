import OmniAPI

extension ComponentLayout {
    /// FLUX.2 in Black Forest Labs' names, which ComfyUI's files and GGUFs keep, or in diffusers'.
    static let flux2Klein = ComponentLayout(
        name: "FLUX.2 klein", part: .transformer,
        marks: [
            ["double_blocks.0.img_attn.qkv.weight", "single_stream_modulation.lin.weight", "final_layer.adaLN_modulation.1.weight"],
            ["transformer_blocks.0.attn.to_q.weight", "single_stream_modulation.linear.weight", "norm_out.linear.weight"],
        ],
        names: { name, _ in
            if name.hasPrefix(of: diffusers) { return [name] }
            if let (own, theirs) = outer.first(where: { name.hasPrefix($0.0) }) { return [theirs + name.dropFirst(own.count)] }
            let weight = name.hasSuffix(".scale") ? name.dropLast("scale".count) + "weight" : name
            for (own, theirs, parts) in blocks where weight.hasPrefix(own) {
                let words = weight.dropFirst(own.count).split(separator: ".", maxSplits: 1).map(String.init)
                guard words.count == 2, let (part, targets) = parts.first(where: { words[1].hasPrefix($0.0) }) else { return nil }
                return targets.map { "\(theirs)\(words[0]).\($0)\(words[1].dropFirst(part.count))" }
            }
            return nil
        },
        config: { shapes in
            let (dim, head) = (try shapes.outputs("x_embedder.weight"), try shapes.outputs("transformer_blocks.0.attn.norm_q.weight"))
            let inner = try shapes.outputs("transformer_blocks.0.ff.linear_in.weight") / 2
            var config = JSONObject([
                ("patch_size", 1), ("in_channels", try shapes.inputs("x_embedder.weight")),
                ("num_layers", .int(shapes.count("transformer_blocks."))),
                ("num_single_layers", .int(shapes.count("single_transformer_blocks."))), ("attention_head_dim", .int(head)),
                ("num_attention_heads", .int(dim / max(head, 1))), ("joint_attention_dim", try shapes.inputs("context_embedder.weight")),
                ("timestep_guidance_channels", try shapes.inputs("time_guidance_embed.timestep_embedder.linear_1.weight")),
                ("mlp_ratio", .number(Double(inner) / Double(max(dim, 1)))), ("rope_theta", 2000), ("eps", 1e-6),
                ("guidance_embeds", false),
            ])
            if head == 128 { config["axes_dims_rope"] = [32, 32, 32, 32] }
            return config
        },
        open: ["axes_dims_rope"],
        swapped: ["norm_out.linear.weight"])

    private static let diffusers = [
        "x_embedder.", "context_embedder.", "time_guidance_embed.timestep_embedder.", "double_stream_modulation_img.linear.",
        "double_stream_modulation_txt.linear.", "single_stream_modulation.linear.", "transformer_blocks.", "single_transformer_blocks.",
        "norm_out.", "proj_out.",
    ]
    private static let outer = [
        ("img_in.", "x_embedder."), ("txt_in.", "context_embedder."),
        ("time_in.in_layer.", "time_guidance_embed.timestep_embedder.linear_1."),
        ("time_in.out_layer.", "time_guidance_embed.timestep_embedder.linear_2."),
        ("double_stream_modulation_img.lin.", "double_stream_modulation_img.linear."),
        ("double_stream_modulation_txt.lin.", "double_stream_modulation_txt.linear."),
        ("single_stream_modulation.lin.", "single_stream_modulation.linear."), ("final_layer.linear.", "proj_out."),
        ("final_layer.adaLN_modulation.1.", "norm_out.linear."),
    ]
    private static let blocks = [
        (
            "double_blocks.", "transformer_blocks.",
            [
                ("img_attn.qkv.", ["attn.to_q.", "attn.to_k.", "attn.to_v."]),
                ("txt_attn.qkv.", ["attn.add_q_proj.", "attn.add_k_proj.", "attn.add_v_proj."]),
                ("img_attn.norm.query_norm.", ["attn.norm_q."]), ("img_attn.norm.key_norm.", ["attn.norm_k."]),
                ("txt_attn.norm.query_norm.", ["attn.norm_added_q."]), ("txt_attn.norm.key_norm.", ["attn.norm_added_k."]),
                ("img_attn.proj.", ["attn.to_out.0."]), ("txt_attn.proj.", ["attn.to_add_out."]), ("img_mlp.0.", ["ff.linear_in."]),
                ("img_mlp.2.", ["ff.linear_out."]), ("txt_mlp.0.", ["ff_context.linear_in."]), ("txt_mlp.2.", ["ff_context.linear_out."]),
            ]
        ),
        (
            "single_blocks.", "single_transformer_blocks.",
            [
                ("linear1.", ["attn.to_qkv_mlp_proj."]), ("linear2.", ["attn.to_out."]), ("norm.query_norm.", ["attn.norm_q."]),
                ("norm.key_norm.", ["attn.norm_k."]),
            ]
        ),
    ]
}
