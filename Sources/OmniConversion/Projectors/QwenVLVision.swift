import OmniAPI

extension Projector {
    static let qwen2VL = Projector(
        name: "qwen2vl_merger", prefixes: ["model."], used: ["visual."],
        check: { config throws(ConversionError) in
            let tower = try config.section("vision_config")
            try checkQwenVision(tower)
            try tower.require("hidden_act", "quick_gelu")
            try tower.require("patch_size", 14)
            try tower.require("hidden_size", .int(try language(config).integer("hidden_size")))
        },
        metadata: { config, preprocessor, metadata throws(ConversionError) in
            // `hidden_size` is the width of what comes out; llama.cpp's converter takes it for the feed-forward, which nobody reads.
            try visionMetadata(
                config.section("vision_config"), preprocessor, width: "embed_dim", feedForward: "hidden_size",
                output: language(config).integer("hidden_size"), &metadata)
            metadata.set("vision.attention.layer_norm_epsilon", 1e-6)
            pixelMetadata(preprocessor, &metadata)
        },
        tensors: [qwenPatches, TensorRule("visual.merger.ln_q", "v.post_ln")] + qwenMerger,
        layers: { config throws(ConversionError) in try qwenLayers(config, qwen2Layer) })

    static let qwen25VL = Projector(
        name: "qwen2.5vl_merger", prefixes: ["model."], used: ["visual."],
        check: { config throws(ConversionError) in
            let tower = try config.section("vision_config", ["tokens_per_second": 2])
            try checkQwen25Vision(tower, output: language(config).integer("hidden_size"))
            try tower.require("tokens_per_second", 2)
        },
        metadata: { config, preprocessor, metadata throws(ConversionError) in
            try qwen25VisionMetadata(
                config.section("vision_config"), preprocessor, output: language(config).integer("hidden_size"), &metadata)
        },
        tensors: [qwenPatches, TensorRule("visual.merger.ln_q", "v.post_ln")] + qwenMerger,
        layers: { config throws(ConversionError) in try qwenLayers(config, qwen25Layer(isSplit: false)) })

    static let qwen3VL = Projector(
        name: "qwen3vl_merger", prefixes: ["model."], used: ["visual."],
        check: { config throws(ConversionError) in
            let tower = try config.section("vision_config")
            try checkQwenVision(tower)
            try tower.require("hidden_act", "gelu_pytorch_tanh")
            try tower.require("out_hidden_size", .int(try language(config).integer("hidden_size")))
            let taps = deepstack(tower), depth = try tower.integer("depth")
            guard taps.allSatisfy({ $0 < depth }) else {
                throw ConversionError(.damaged, config.path, "deepstack_visual_indexes is \(taps), of \(depth) layers.")
            }
        },
        metadata: { config, preprocessor, metadata throws(ConversionError) in
            let tower = try config.section("vision_config"), text = try language(config)
            try visionMetadata(
                tower, preprocessor, width: "hidden_size", feedForward: "intermediate_size", output: text.integer("hidden_size"), &metadata)
            let side = Double(tower["num_position_embeddings"]?.intValue ?? 2304).squareRoot()
            let patch = try tower.integer("patch_size")
            metadata.set("vision.image_size", tower["image_size"]?.intValue ?? Int(side * Double(patch)))
            metadata["clip.use_gelu"] = .bool(true)
            metadata.set("vision.spatial_merge_size", 2)
            metadata.set("vision.attention.layer_norm_epsilon", 1e-6)
            let taps = deepstack(tower), depth = try tower.integer("depth")
            metadata.set("vision.is_deepstack_layers", .bools((0..<depth).map { taps.contains($0) }))
            pixelMetadata(preprocessor, &metadata)
        },
        tensors: [
            qwenPatches, TensorRule("visual.pos_embed", "v.position_embd"), TensorRule("visual.merger.norm", "v.post_ln"),
            TensorRule("visual.merger.linear_fc1", "mm.0"), TensorRule("visual.merger.linear_fc2", "mm.2"),
        ],
        layers: { config throws(ConversionError) in
            let taps = deepstack(try config.section("vision_config"))
            return try qwenLayers(config, qwen3Layer) + [
                .init(
                    source: "visual.deepstack_merger_list", target: "v.deepstack", count: taps.count,
                    rules: ["norm": "norm", "linear_fc1": "fc1", "linear_fc2": "fc2"].map { TensorRule($0.key, $0.value) }, numbers: taps)
            ]
        })

    private static let qwen3Layer = [
        TensorRule("norm1", "ln1"), TensorRule("attn.qkv", "attn_qkv"), TensorRule("attn.proj", "attn_out"), TensorRule("norm2", "ln2"),
        TensorRule("mlp.linear_fc1", "ffn_up"), TensorRule("mlp.linear_fc2", "ffn_down"),
    ]

    private static func deepstack(_ tower: Config) -> [Int] {
        tower["deepstack_visual_indexes"]?.arrayValue?.compactMap(\.intValue).filter { $0 >= 0 } ?? []
    }

    /// What is said of the language model: at the top in older files.
    private static func language(_ config: Config) throws(ConversionError) -> Config {
        config["text_config"] == nil ? config : try config.section("text_config")
    }

    private static func qwenLayers(_ config: Config, _ rules: [TensorRule]) throws(ConversionError) -> [TensorTable.Layers] {
        [.init(source: "visual.blocks", target: "v.blk", count: try config.section("vision_config").integer("depth"), rules: rules)]
    }
}
