import OmniAPI

extension ComponentLayout {
    /// Z-Image in its publisher's names, which ComfyUI's files and GGUFs keep, or in diffusers'.
    static let zImage = ComponentLayout(
        name: "Z-Image", part: .transformer,
        marks: ["qkv", "to_q"].map {
            ["cap_embedder.0.weight", "noise_refiner.0.attention.\($0).weight", "layers.0.adaLN_modulation.0.weight"]
        },
        names: { name, _ in
            if name == "norm_final.weight" { return [] }
            if let (own, theirs) = outer.first(where: { name.hasPrefix($0.0) }) { return [theirs + name.dropFirst(own.count)] }
            if name.hasSuffix("_pad_token") { return [name] }
            guard name.hasPrefix(of: ["noise_refiner.", "context_refiner.", "layers."]) else { return nil }
            if name.hasSuffix(".attention.qkv.weight") { return ["q", "k", "v"].map { name.replacing(".qkv.", with: ".to_\($0).") } }
            return [name.replacing(inner)]
        },
        config: { shapes in
            let (dim, head) = (try shapes.outputs("all_x_embedder.2-1.weight"), try shapes.outputs("layers.0.attention.norm_q.weight"))
            var config = JSONObject([
                ("all_patch_size", [2]), ("all_f_patch_size", [1]),
                ("in_channels", .int(try shapes.axes("all_x_embedder.2-1.weight")[0] / 4)),
                ("dim", .int(dim)), ("n_layers", .int(shapes.count("layers."))), ("n_refiner_layers", .int(shapes.count("noise_refiner."))),
                ("n_heads", .int(dim / max(head, 1))), ("norm_eps", 1e-5), ("qk_norm", true),
                ("cap_feat_dim", try shapes.inputs("cap_embedder.0.weight")), ("rope_theta", 256.0), ("t_scale", 1000.0),
                ("axes_lens", [1536, 512, 512]),
            ])
            if head == 128 { config["axes_dims"] = [32, 48, 48] }
            return config
        },
        open: ["axes_dims"])

    private static let outer = [
        ("x_embedder.", "all_x_embedder.2-1."), ("final_layer.", "all_final_layer.2-1."), ("all_x_embedder.2-1.", "all_x_embedder.2-1."),
        ("all_final_layer.2-1.", "all_final_layer.2-1."), ("t_embedder.", "t_embedder."), ("cap_embedder.", "cap_embedder."),
    ]
    private static let inner = [
        (".attention.out.", ".attention.to_out.0."), (".attention.q_norm.", ".attention.norm_q."),
        (".attention.k_norm.", ".attention.norm_k."),
    ]
}
