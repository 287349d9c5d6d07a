import OmniAPI

extension ComponentLayout {
    /// Qwen-Image, which everybody writes in diffusers' names.
    static let qwenImage = ComponentLayout(
        name: "Qwen-Image", part: .transformer,
        marks: [["transformer_blocks.0.img_mod.1.weight", "txt_norm.weight", "time_text_embed.timestep_embedder.linear_1.weight"]],
        names: { name, _ in name.hasPrefix(of: known) ? [name] : nil },
        config: { shapes in
            let (dim, head) = (try shapes.outputs("img_in.weight"), try shapes.outputs("transformer_blocks.0.attn.norm_q.weight"))
            var config = JSONObject([
                ("patch_size", 2), ("in_channels", try shapes.inputs("img_in.weight")),
                ("out_channels", .int(try shapes.outputs("proj_out.weight") / 4)),
                ("num_layers", .int(shapes.count("transformer_blocks."))),
                ("attention_head_dim", .int(head)), ("num_attention_heads", .int(dim / max(head, 1))),
                ("joint_attention_dim", try shapes.inputs("txt_in.weight")),
            ])
            if head == 128 { config["axes_dims_rope"] = [16, 56, 56] }
            return config
        },
        open: ["axes_dims_rope"])

    private static let known = [
        "transformer_blocks.", "txt_norm.", "txt_in.", "img_in.", "time_text_embed.timestep_embedder.", "norm_out.", "proj_out.",
    ]
}
