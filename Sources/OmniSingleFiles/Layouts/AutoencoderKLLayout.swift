import OmniAPI

extension ComponentLayout {
    /// The KL autoencoder in latent-diffusion's names (`ae.safetensors`, `flux2-vae.safetensors`), or in diffusers'.
    static let autoencoderKL = ComponentLayout(
        name: "AutoencoderKL", part: .vae,
        marks: [
            ["decoder.mid.attn_1.q.weight", "decoder.conv_in.weight", "encoder.conv_in.weight"],
            ["decoder.mid_block.attentions.0.to_q.weight", "decoder.conv_in.weight", "encoder.conv_in.weight"],
        ],
        names: { name, shapes in
            if name == "bn.num_batches_tracked" { return [] }
            if name.hasPrefix(of: ["quant_conv.", "post_quant_conv.", "bn.running_"]) { return [name] }
            // FLUX.2's stand in the halves that they belong to.
            for half in ["encoder.quant_conv.", "decoder.post_quant_conv."] where name.hasPrefix(half) {
                return [String(name.dropFirst("encoder.".count))]
            }
            guard name.hasPrefix(of: ["encoder.", "decoder."]) else { return nil }
            guard name.hasPrefix("decoder.up.") else { return [name.replacing(ldm)] }
            let words = name.dropFirst("decoder.up.".count).split(separator: ".", maxSplits: 1).map(String.init)
            guard words.count == 2, let place = Int(words[0]) else { return nil }
            // They are counted from the picture on, diffusers' from the latents on.
            return ["decoder.up_blocks.\(shapes.count("decoder.up.") - 1 - place)" + ".\(words[1])".replacing(ldm)]
        },
        config: { shapes in
            let down = try (0..<shapes.count("encoder.down_blocks.")).map {
                try shapes.outputs("encoder.down_blocks.\($0).resnets.0.conv1.weight")
            }
            let up = try (0..<shapes.count("decoder.up_blocks.")).map {
                try shapes.outputs("decoder.up_blocks.\($0).resnets.0.conv1.weight")
            }
            let latents = try shapes.axes("decoder.conv_in.weight")
            guard latents.count == 4 else { throw SingleFileError(shapes.source, "has a decoder.conv_in of the shape \(latents)") }
            var config = JSONObject([
                ("in_channels", 3), ("out_channels", .int(try shapes.outputs("decoder.conv_out.weight"))),
                ("block_out_channels", .array(down.map(JSONValue.int))),
                ("decoder_block_out_channels", .array(up.reversed().map(JSONValue.int))),
                ("layers_per_block", .int(shapes.count("encoder.down_blocks.0.resnets."))), ("latent_channels", .int(latents[2])),
                ("use_quant_conv", .bool(shapes.has("quant_conv.weight"))),
                ("use_post_quant_conv", .bool(shapes.has("post_quant_conv.weight"))),
                ("mid_block_add_attention", .bool(shapes.has("decoder.mid_block.attentions.0.to_q.weight"))), ("act_fn", "silu"),
                ("sample_size", 1024), ("batch_norm_eps", 1e-4),
            ])
            if (down + up).allSatisfy({ $0 % 32 == 0 }) { config["norm_num_groups"] = 32 }
            return config
        },
        open: ["norm_num_groups"],
        flattens: { $0.contains(".attentions.0.to_") && $0.hasSuffix(".weight") })

    private static let ldm = [
        (".down.", ".down_blocks."), (".block.", ".resnets."), (".downsample.", ".downsamplers.0."), (".upsample.", ".upsamplers.0."),
        (".nin_shortcut.", ".conv_shortcut."), (".norm_out.", ".conv_norm_out."),
        (".mid.block_1.", ".mid_block.resnets.0."), (".mid.block_2.", ".mid_block.resnets.1."),
        (".mid.attn_1.norm.", ".mid_block.attentions.0.group_norm."), (".mid.attn_1.q.", ".mid_block.attentions.0.to_q."),
        (".mid.attn_1.k.", ".mid_block.attentions.0.to_k."), (".mid.attn_1.v.", ".mid_block.attentions.0.to_v."),
        (".mid.attn_1.proj_out.", ".mid_block.attentions.0.to_out.0."),
    ]
}
