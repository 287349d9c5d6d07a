import OmniAPI

extension ComponentLayout {
    /// The causal autoencoder in its publisher's names (`wan_2.1_vae`, `wan2.2_vae`, `qwen_image_vae`), or in diffusers'.
    static let causalAutoencoder = ComponentLayout(
        name: "causal autoencoder", part: .vae,
        marks: [
            ["decoder.middle.0.residual.0.gamma", "decoder.conv1.weight", "conv2.weight"],
            ["decoder.mid_block.attentions.0.to_qkv.weight", "decoder.conv_in.weight", "post_quant_conv.weight"],
        ],
        names: { name, shapes in
            guard shapes.has("decoder.middle.0.residual.0.gamma") else {
                return name.hasPrefix(of: ["encoder.", "decoder.", "quant_conv.", "post_quant_conv."]) ? [name] : nil
            }
            if name.hasPrefix("conv1.") { return ["quant_" + name.replacing("conv1.", with: "conv.")] }
            if name.hasPrefix("conv2.") { return ["post_quant_" + name.replacing("conv2.", with: "conv.")] }
            guard name.hasPrefix(of: ["encoder.", "decoder."]) else { return nil }
            for (half, list, blocks, sampler) in halves where name.hasPrefix("\(half).\(list).") {
                return placed(name, "\(half).\(list).", list, "\(half).\(blocks).", sampler, shapes).map { [$0] }
            }
            return [name.replacing(outer).replacing(residual)]
        },
        config: { shapes in
            let (first, latents) = (try shapes.axes("encoder.conv_in.weight"), try shapes.axes("decoder.conv_in.weight"))
            guard first.count == 5, latents.count == 5, let base = first.last, base > 0 else {
                throw SingleFileError(shapes.source, "has first kernels of \(first) and \(latents), which are not over frames")
            }
            let nested = shapes.has("encoder.down_blocks.0.resnets.0.norm1.gamma")
            let places = (0..<shapes.count("encoder.down_blocks.")).map { "encoder.down_blocks.\($0)" }
            // In one list all blocks stand behind each other, those that halve the picture between the stages.
            let samplers = nested ? places.dropLast().map { "\($0).downsampler" } : places.filter { shapes.has("\($0).resample.1.weight") }
            let blocks = nested ? shapes.count("encoder.down_blocks.0.resnets.") : (places.count - samplers.count) / (samplers.count + 1)
            let stages = nested ? places.map { "\($0).resnets.0" } : stride(from: 0, to: places.count, by: blocks + 1).map { places[$0] }
            let factors = try stages.map { try shapes.outputs("\($0).conv1.weight") / base }
            let (channels, patch) = (first[3], first[3] == 12 ? 2 : 1)
            var config = JSONObject([
                ("base_dim", .int(base)), ("decoder_base_dim", .int((latents.last ?? 0) / max(factors.last ?? 1, 1))),
                ("z_dim", .int(latents[3])),
                ("dim_mult", .array(factors.map(JSONValue.int))), ("num_res_blocks", .int(blocks)), ("attn_scales", []),
                ("temperal_downsample", .array(samplers.map { .bool(shapes.has("\($0).time_conv.weight")) })),
                ("is_residual", .bool(nested)),
                ("in_channels", .int(channels)), ("out_channels", .int(try shapes.outputs("decoder.conv_out.weight"))),
                ("patch_size", .int(patch)),
            ])
            if let known = LatentStatistics.published[latents[3]] {
                config["latents_mean"] = .array(known.mean.map(JSONValue.number))
                config["latents_std"] = .array(known.deviation.map(JSONValue.number))
            }
            return config
        },
        open: ["latents_mean", "latents_std"])

    private static let halves = [
        ("encoder", "downsamples", "down_blocks", "downsampler"), ("decoder", "upsamples", "up_blocks", "upsampler"),
    ]
    private static let outer = [
        (".conv1.", ".conv_in."), (".head.0.", ".norm_out."), (".head.2.", ".conv_out."), (".middle.0.", ".mid_block.resnets.0."),
        (".middle.1.", ".mid_block.attentions.0."), (".middle.2.", ".mid_block.resnets.1."),
    ]
    private static let residual = [
        (".residual.0.", ".norm1."), (".residual.2.", ".conv1."), (".residual.3.", ".norm2."), (".residual.6.", ".conv2."),
        (".shortcut.", ".conv_shortcut."),
    ]

    /// The name of what stands in a list of blocks: the newer one's lists have lists; the older one's encoder has one in diffusers too, its decoder has
    /// stages there.
    private static func placed(_ name: String, _ prefix: String, _ list: String, _ blocks: String, _ sampler: String, _ shapes: Shapes)
        -> String?
    {
        let words = name.dropFirst(prefix.count).split(separator: ".", maxSplits: 1).map(String.init)
        guard words.count == 2, let place = Int(words[0]) else { return nil }
        let isSampler = words[1].contains("resample.") || words[1].contains("time_conv.")
        if words[1].hasPrefix(list + ".") {
            let inner = words[1].dropFirst(list.count + 1).split(separator: ".", maxSplits: 1).map(String.init)
            guard inner.count == 2 else { return nil }
            return blocks
                + (isSampler
                    ? "\(place).\(sampler).\(inner[1])" : "\(place).resnets.\(inner[0])." + ".\(inner[1])".replacing(residual).dropFirst())
        }
        let rest = ".\(words[1])".replacing(residual)
        guard list == "upsamples" else { return "\(blocks)\(place)\(rest)" }
        let samplers = (0..<place).filter { shapes.has("\(prefix)\($0).resample.1.weight") }
        return "\(blocks)\(samplers.count)." + (isSampler ? "upsamplers.0" : "resnets.\(place - ((samplers.last ?? -1) + 1))") + rest
    }
}

/// Mean and deviation of each latent channel, which the files of autoencoders do not hold, by the number of channels.
enum LatentStatistics {
    /// `wan_2.1_vae` and `qwen_image_vae` have 16, `wan2.2_vae` has 48 (diffusers' `autoencoder_kl_wan.py`, `convert_wan_to_diffusers.py`).
    static let published: [Int: (mean: [Double], deviation: [Double])] = [
        16: (
            [
                -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497,
                0.2503,
                -0.2921,
            ],
            [
                2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251,
                1.9160,
            ]
        ),
        48: (
            [
                -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813, 0.0891, 0.1570, -0.0098,
                0.0375,
                -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502, -0.2055, -0.0322, 0.1109, 0.1567, -0.0729,
                0.0899,
                -0.2799, -0.1230, -0.0313, -0.1649, 0.0117, 0.0723, -0.2839, -0.2083, -0.0520, 0.3748, 0.0152, 0.1957, 0.1433, -0.2944,
                0.3573,
                -0.0548, -0.1681, -0.0667,
            ],
            [
                0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901, 0.6885, 0.6165, 0.8454,
                0.4978,
                0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659, 0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866,
                0.4093,
                0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468,
                0.7744,
            ]
        ),
    ]
}
