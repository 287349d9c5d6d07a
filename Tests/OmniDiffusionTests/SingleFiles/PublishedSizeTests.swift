import Foundation
import OmniSingleFiles
import Testing

/// Files of the published sizes, their tensors' data a hole in the file, have the configuration that the publishers' folders have.
@Suite struct PublishedSizeTests {
    /// A safetensors file of bf16 with these shapes, slowest axis first.
    private static func write(_ path: String, _ shapes: [String: [Int]]) throws {
        var (claims, end) = ([String](), 0)
        for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
            let bytes = 2 * shape.reduce(1, *)
            claims.append("\"\(name)\":{\"dtype\":\"BF16\",\"shape\":\(shape),\"data_offsets\":[\(end),\(end + bytes)]}")
            end += bytes
        }
        let header = Array("{\(claims.joined(separator: ","))}".utf8)
        try Data(withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header).write(to: URL(fileURLWithPath: path))
        #expect(truncate(path, 8 + header.count + end) == 0)
    }

    private static func configuration(_ shapes: [String: [Int]]) throws -> [String: Any] {
        let path = NSTemporaryDirectory() + "published-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try write(path, shapes)
        let file = try #require(try SingleFile.read(path).first)
        return try #require(JSONSerialization.jsonObject(with: file.configuration) as? [String: Any])
    }

    private static func equal(_ config: [String: Any], _ wanted: [String: Any]) throws {
        func text(_ value: Any) throws -> String { String(decoding: try JSONSerialization.data(withJSONObject: [value]), as: UTF8.self) }
        for (key, value) in wanted { #expect(try text(config[key] ?? "none") == text(value), "\(key)") }
    }

    @Test func zImage() throws {
        var shapes = [
            "x_embedder.weight": [3840, 64], "cap_embedder.0.weight": [2560], "cap_embedder.1.weight": [3840, 2560],
            "final_layer.linear.weight": [64, 3840], "layers.29.attention.qkv.weight": [11520, 3840],
            "context_refiner.1.attention.qkv.weight": [11520, 3840],
        ]
        for block in ["layers.0", "noise_refiner.0", "noise_refiner.1"] {
            shapes["\(block).attention.qkv.weight"] = [11520, 3840]
            shapes["\(block).attention.q_norm.weight"] = [128]
            shapes["\(block).adaLN_modulation.0.weight"] = [15360, 256]
        }
        try Self.equal(
            try Self.configuration(shapes),
            [
                "dim": 3840, "n_heads": 30, "n_layers": 30, "n_refiner_layers": 2, "in_channels": 16, "cap_feat_dim": 2560,
                "axes_dims": [32, 48, 48], "axes_lens": [1536, 512, 512], "rope_theta": 256, "t_scale": 1000,
            ])
    }

    @Test func flux2Klein() throws {
        let shapes = [
            "img_in.weight": [3072, 128], "txt_in.weight": [3072, 7680], "time_in.in_layer.weight": [3072, 256],
            "double_blocks.0.img_attn.qkv.weight": [9216, 3072], "double_blocks.0.img_attn.norm.query_norm.scale": [128],
            "double_blocks.0.img_mlp.0.weight": [18432, 3072], "double_blocks.4.img_attn.qkv.weight": [9216, 3072],
            "single_blocks.19.linear1.weight": [27648, 3072], "single_stream_modulation.lin.weight": [9216, 3072],
            "final_layer.adaLN_modulation.1.weight": [6144, 3072], "final_layer.linear.weight": [128, 3072],
        ]
        try Self.equal(
            try Self.configuration(shapes),
            [
                "num_attention_heads": 24, "attention_head_dim": 128, "num_layers": 5, "num_single_layers": 20, "in_channels": 128,
                "joint_attention_dim": 7680, "mlp_ratio": 3, "axes_dims_rope": [32, 32, 32, 32], "timestep_guidance_channels": 256,
            ])
    }

    @Test func wan() throws {
        func shapes(dim: Int, inputs: Int, outputs: Int, inner: Int, layers: Int) -> [String: [Int]] {
            [
                "patch_embedding.weight": [dim, inputs, 1, 2, 2], "patch_embedding.bias": [dim], "head.modulation": [1, 2, dim],
                "head.head.weight": [4 * outputs, dim], "text_embedding.0.weight": [dim, 4096], "text_embedding.2.weight": [dim, dim],
                "time_embedding.0.weight": [dim, 256], "blocks.0.self_attn.norm_q.weight": [dim], "blocks.0.ffn.0.weight": [inner, dim],
                "blocks.0.norm3.weight": [dim], "blocks.\(layers - 1).norm3.weight": [dim],
            ]
        }
        try Self.equal(
            try Self.configuration(shapes(dim: 1536, inputs: 16, outputs: 16, inner: 8960, layers: 30)),
            [
                "num_attention_heads": 12, "attention_head_dim": 128, "num_layers": 30, "in_channels": 16, "out_channels": 16,
                "ffn_dim": 8960, "text_dim": 4096, "freq_dim": 256, "cross_attn_norm": true,
            ])
        try Self.equal(
            try Self.configuration(shapes(dim: 3072, inputs: 48, outputs: 48, inner: 14336, layers: 30)),
            ["num_attention_heads": 24, "in_channels": 48, "out_channels": 48, "ffn_dim": 14336])
        try Self.equal(
            try Self.configuration(shapes(dim: 5120, inputs: 36, outputs: 16, inner: 13824, layers: 40)),
            ["num_attention_heads": 40, "in_channels": 36, "out_channels": 16, "num_layers": 40])
    }

    @Test func autoencoders() throws {
        var kl: [String: [Int]] = [
            "encoder.conv_in.weight": [128, 3, 3, 3], "decoder.conv_in.weight": [512, 16, 3, 3], "decoder.conv_out.weight": [3, 128, 3, 3],
            "decoder.mid.attn_1.q.weight": [512, 512, 1, 1],
        ]
        for (stage, width) in [128, 256, 512, 512].enumerated() {
            kl["encoder.down.\(stage).block.0.conv1.weight"] = [width, width, 3, 3]
            kl["encoder.down.\(stage).block.1.conv1.weight"] = [width, width, 3, 3]
            kl["decoder.up.\(stage).block.0.conv1.weight"] = [width, width, 3, 3]
        }
        try Self.equal(
            try Self.configuration(kl),
            [
                "block_out_channels": [128, 256, 512, 512], "decoder_block_out_channels": [128, 256, 512, 512], "latent_channels": 16,
                "layers_per_block": 2, "norm_num_groups": 32, "use_quant_conv": false,
            ])
        var causal: [String: [Int]] = [
            "encoder.conv1.weight": [96, 3, 3, 3, 3], "decoder.conv1.weight": [384, 16, 3, 3, 3],
            "decoder.head.2.weight": [3, 96, 3, 3, 3],
            "decoder.middle.0.residual.0.gamma": [384, 1, 1, 1], "conv2.weight": [16, 16, 1, 1, 1],
        ]
        for (place, width) in [(0, 96), (1, 96), (3, 192), (4, 192), (6, 384), (7, 384), (9, 384), (10, 384)] {
            causal["encoder.downsamples.\(place).residual.2.weight"] = [width, width, 3, 3, 3]
        }
        for place in [2, 5, 8] { causal["encoder.downsamples.\(place).resample.1.weight"] = [96, 96, 3, 3] }
        for place in [5, 8] { causal["encoder.downsamples.\(place).time_conv.weight"] = [96, 96, 3, 1, 1] }
        let config = try Self.configuration(causal)
        try Self.equal(
            config,
            [
                "base_dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "temperal_downsample": [false, true, true],
                "is_residual": false, "decoder_base_dim": 96,
            ])
        #expect((config["latents_mean"] as? [Double])?.first == -0.7571 && (config["latents_std"] as? [Double])?.count == 16)
    }

    @Test func textEncoders() throws {
        let qwen = [
            "model.embed_tokens.weight": [151936, 2560], "model.layers.0.self_attn.q_norm.weight": [128],
            "model.layers.0.self_attn.q_proj.weight": [4096, 2560], "model.layers.0.self_attn.k_proj.weight": [1024, 2560],
            "model.layers.0.mlp.gate_proj.weight": [9728, 2560], "model.layers.35.mlp.gate_proj.weight": [9728, 2560],
        ]
        try Self.equal(
            try Self.configuration(qwen),
            [
                "hidden_size": 2560, "head_dim": 128, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 36,
                "intermediate_size": 9728, "vocab_size": 151936, "rope_theta": 1_000_000,
            ])
        let (attention, layer) = ("encoder.block.0.layer.0.SelfAttention", "encoder.block.1.layer.0.SelfAttention")
        let umt5 = [
            "shared.weight": [256384, 4096], "\(attention).q.weight": [4096, 4096],
            "\(attention).relative_attention_bias.weight": [32, 64],
            "\(layer).relative_attention_bias.weight": [32, 64], "encoder.block.0.layer.1.DenseReluDense.wi_0.weight": [10240, 4096],
            "encoder.block.23.layer.1.DenseReluDense.wi_0.weight": [10240, 4096],
        ]
        try Self.equal(
            try Self.configuration(umt5),
            [
                "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "vocab_size": 256384,
                "relative_attention_num_buckets": 32,
            ])
    }
}
