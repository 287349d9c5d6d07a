import Testing

@testable import OmniDiffusion

typealias StoredTensors = [String: CheckpointCopy.Stored]

/// Diffusers' tensors under the names that others write them with.
enum SingleFileNames {
    /// Z-Image's own: queries, keys and values of a block in one matrix.
    static func zImage(_ tensors: StoredTensors) throws -> StoredTensors {
        var own = try fused(tensors, ["to_q", "to_k", "to_v"], as: "qkv")
        own = renamed(own) {
            $0.replacing("all_x_embedder.2-1.", with: "x_embedder.").replacing("all_final_layer.2-1.", with: "final_layer.")
                .replacing(".to_out.0.", with: ".out.").replacing(".norm_q.", with: ".q_norm.").replacing(".norm_k.", with: ".k_norm.")
        }
        // Published files have it, and nothing uses it.
        own["norm_final.weight"] = own["cap_embedder.0.weight"]
        return own
    }

    /// Black Forest Labs'.
    static func flux2(_ tensors: StoredTensors) throws -> StoredTensors {
        var own = try fused(tensors, ["to_q", "to_k", "to_v"], as: "img_qkv")
        own = try fused(own, ["add_q_proj", "add_k_proj", "add_v_proj"], as: "txt_qkv")
        let removed = own.removeValue(forKey: "norm_out.linear.weight")
        let last = try #require(removed)
        let half = last.bytes.count / 2
        own["final_layer.adaLN_modulation.1.weight"] = .init(
            type: last.type, shape: last.shape, bytes: Array(last.bytes[half...] + last.bytes[..<half]))
        let outer = [
            "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear",
            "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
            "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
            "single_stream_modulation.linear": "single_stream_modulation.lin",
            "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
            "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
        ]
        let inner = [
            "attn.img_qkv.weight": "img_attn.qkv.weight", "attn.txt_qkv.weight": "txt_attn.qkv.weight",
            "attn.norm_q.weight": "img_attn.norm.query_norm.scale", "attn.norm_k.weight": "img_attn.norm.key_norm.scale",
            "attn.norm_added_q.weight": "txt_attn.norm.query_norm.scale", "attn.norm_added_k.weight": "txt_attn.norm.key_norm.scale",
            "attn.to_out.0.weight": "img_attn.proj.weight", "attn.to_add_out.weight": "txt_attn.proj.weight",
            "ff.linear_in.weight": "img_mlp.0.weight", "ff.linear_out.weight": "img_mlp.2.weight",
            "ff_context.linear_in.weight": "txt_mlp.0.weight",
            "ff_context.linear_out.weight": "txt_mlp.2.weight",
        ]
        let single = [
            "attn.to_qkv_mlp_proj.weight": "linear1.weight", "attn.to_out.weight": "linear2.weight",
            "attn.norm_q.weight": "norm.query_norm.scale",
            "attn.norm_k.weight": "norm.key_norm.scale",
        ]
        return renamed(own) { name in
            let words = name.split(separator: ".", maxSplits: 2).map(String.init)
            if words[0] == "transformer_blocks" { return "double_blocks.\(words[1]).\(inner[words[2]] ?? "?")" }
            if words[0] == "single_transformer_blocks" { return "single_blocks.\(words[1]).\(single[words[2]] ?? "?")" }
            return outer[String(name.dropLast(".weight".count))].map { $0 + ".weight" } ?? name
        }
    }

    /// Wan's own.
    static func wan(_ tensors: StoredTensors) -> StoredTensors {
        renamed(tensors) { name in
            if name == "scale_shift_table" { return "head.modulation" }
            let pairs = [
                ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
                ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
                ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
                ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
                ("condition_embedder.time_proj", "time_projection.1"), ("proj_out", "head.head"), ("scale_shift_table", "modulation"),
                (".attn1.", ".self_attn."), (".attn2.", ".cross_attn."), (".to_q.", ".q."), (".to_k.", ".k."), (".to_v.", ".v."),
                (".to_out.0.", ".o."), (".ffn.net.0.proj.", ".ffn.0."), (".ffn.net.2.", ".ffn.2."), (".norm2.", ".norm3."),
            ]
            return pairs.reduce(name) { $0.replacing($1.0, with: $1.1) }
        }
    }

    /// Latent-diffusion's names of the KL autoencoder. `inHalves` as FLUX.2's has its one-pixel kernels.
    static func ldm(_ tensors: StoredTensors, stages: Int, inHalves: Bool = false) -> StoredTensors {
        var own: StoredTensors = [:]
        for (name, tensor) in tensors {
            var (target, tensor) = (name, tensor)
            let pairs = [
                (".mid_block.resnets.0.", ".mid.block_1."), (".mid_block.resnets.1.", ".mid.block_2."),
                (".mid_block.attentions.0.group_norm.", ".mid.attn_1.norm."),
                (".mid_block.attentions.0.to_q.", ".mid.attn_1.q."), (".mid_block.attentions.0.to_k.", ".mid.attn_1.k."),
                (".mid_block.attentions.0.to_v.", ".mid.attn_1.v."), (".mid_block.attentions.0.to_out.0.", ".mid.attn_1.proj_out."),
                (".down_blocks.", ".down."), (".resnets.", ".block."), (".conv_shortcut.", ".nin_shortcut."),
                (".downsamplers.0.", ".downsample."),
                (".upsamplers.0.", ".upsample."), (".conv_norm_out.", ".norm_out."),
            ]
            for (theirs, ours) in pairs { target = target.replacing(theirs, with: ours) }
            for stage in 0..<stages where target.hasPrefix("decoder.up_blocks.\(stage).") {
                target = target.replacing("decoder.up_blocks.\(stage).", with: "decoder.up.\(stages - 1 - stage).")
            }
            if inHalves, name.hasPrefix("quant_conv.") { target = "encoder." + name }
            if inHalves, name.hasPrefix("post_quant_conv.") { target = "decoder." + name }
            // Linear layers are kernels of one pixel there.
            if target.contains(".attn_1."), tensor.shape.count == 2 { tensor.shape += [1, 1] }
            own[target] = tensor
        }
        return own
    }

    /// Wan's names of its autoencoder. `isNested` as Wan 2.2 has them; `blocks` of each stage of the decoder.
    static func wanAutoencoder(_ tensors: StoredTensors, isNested: Bool, blocks: Int) -> StoredTensors {
        renamed(tensors) { name in
            var name = name
            for (theirs, ours) in [("post_quant_conv.", "conv2."), ("quant_conv.", "conv1.")] where name.hasPrefix(theirs) {
                return ours + name.dropFirst(theirs.count)
            }
            if isNested {
                name = nested(name)
            } else {
                name = name.replacing("encoder.down_blocks.", with: "encoder.downsamples.")
                let words = name.split(separator: ".").map(String.init)
                if name.hasPrefix("decoder.up_blocks."), let stage = Int(words[2]) {
                    let place = stage * (blocks + 1) + (words[3] == "resnets" ? Int(words[4]) ?? 0 : blocks)
                    name = "decoder.upsamples.\(place)." + words[5...].joined(separator: ".")
                }
            }
            let pairs = [
                (".mid_block.resnets.0.", ".middle.0."), (".mid_block.resnets.1.", ".middle.2."),
                (".mid_block.attentions.0.", ".middle.1."),
                (".conv_shortcut.", ".shortcut."), (".conv1.", ".residual.2."), (".conv2.", ".residual.6."), (".norm1.", ".residual.0."),
                (".norm2.", ".residual.3."), (".conv_in.", ".conv1."), (".norm_out.", ".head.0."), (".conv_out.", ".head.2."),
            ]
            return pairs.reduce(name) { $0.replacing($1.0, with: $1.1) }
        }
    }

    private static func nested(_ name: String) -> String {
        for (theirs, ours, sampler) in [
            ("encoder.down_blocks.", "downsamples", "downsampler"), ("decoder.up_blocks.", "upsamples", "upsampler"),
        ]
        where name.hasPrefix(theirs) {
            let words = name.dropFirst(theirs.count).split(separator: ".").map(String.init)
            let half = theirs.prefix { $0 != "." }
            // The sampler stands behind the blocks.
            if words[1] == sampler { return "\(half).\(ours).\(words[0]).\(ours).9." + words[2...].joined(separator: ".") }
            return "\(half).\(ours).\(words[0]).\(ours).\(words[2])." + words[3...].joined(separator: ".")
        }
        return name
    }

    /// llama.cpp's names of a Qwen model.
    static func llama(_ tensors: StoredTensors) -> StoredTensors {
        renamed(tensors) { name in
            let plain = name.replacing("model.language_model.", with: "model.")
            let pairs = [
                ("model.embed_tokens.", "token_embd."), ("model.layers.", "blk."), (".input_layernorm.", ".attn_norm."),
                (".post_attention_layernorm.", ".ffn_norm."), (".self_attn.q_norm.", ".attn_q_norm."),
                (".self_attn.k_norm.", ".attn_k_norm."),
                (".self_attn.q_proj.", ".attn_q."), (".self_attn.k_proj.", ".attn_k."), (".self_attn.v_proj.", ".attn_v."),
                (".self_attn.o_proj.", ".attn_output."), (".mlp.gate_proj.", ".ffn_gate."), (".mlp.up_proj.", ".ffn_up."),
                (".mlp.down_proj.", ".ffn_down."), ("model.norm.", "output_norm."), ("lm_head.", "output."),
            ]
            return pairs.reduce(plain) { $0.replacing($1.0, with: $1.1) }
        }.filter { !$0.key.contains("visual.") }
    }

    /// Wan's own names of its text encoder.
    static func wanT5(_ tensors: StoredTensors) -> StoredTensors {
        renamed(tensors.filter { $0.key != "encoder.embed_tokens.weight" }) { name in
            let pairs = [
                ("shared.", "token_embedding."), ("encoder.final_layer_norm.", "norm."), ("encoder.block.", "blocks."),
                (".layer.0.SelfAttention.relative_attention_bias.", ".pos_embedding.embedding."), (".layer.0.SelfAttention.", ".attn."),
                (".layer.0.layer_norm.", ".norm1."), (".layer.1.layer_norm.", ".norm2."), (".layer.1.DenseReluDense.wi_0.", ".ffn.gate.0."),
                (".layer.1.DenseReluDense.wi_1.", ".ffn.fc1."), (".layer.1.DenseReluDense.wo.", ".ffn.fc2."),
            ]
            return pairs.reduce(name) { $0.replacing($1.0, with: $1.1) }
        }
    }

    /// llama.cpp's names of a T5 encoder.
    static func llamaT5(_ tensors: StoredTensors) -> StoredTensors {
        renamed(tensors.filter { $0.key != "encoder.embed_tokens.weight" }) { name in
            let pairs = [
                ("shared.", "token_embd."), ("encoder.final_layer_norm.", "enc.output_norm."), ("encoder.block.", "enc.blk."),
                (".layer.0.SelfAttention.relative_attention_bias.", ".attn_rel_b."), (".layer.0.SelfAttention.", ".attn_"),
                (".layer.0.layer_norm.", ".attn_norm."), (".layer.1.layer_norm.", ".ffn_norm."),
                (".layer.1.DenseReluDense.wi_0.", ".ffn_gate."),
                (".layer.1.DenseReluDense.wi_1.", ".ffn_up."), (".layer.1.DenseReluDense.wo.", ".ffn_down."),
            ]
            return pairs.reduce(name) { $0.replacing($1.0, with: $1.1) }
        }
    }

    private static func renamed(_ tensors: StoredTensors, _ name: (String) -> String) -> StoredTensors {
        Dictionary(uniqueKeysWithValues: tensors.map { (name($0.key), $0.value) })
    }

    /// Matrices beside each other as one, their rows one after the other.
    private static func fused(_ tensors: StoredTensors, _ parts: [String], as whole: String) throws -> StoredTensors {
        var fused = tensors
        for name in tensors.keys where name.hasSuffix(".\(parts[0]).weight") {
            let stem = name.dropLast("\(parts[0]).weight".count)
            let all = parts.compactMap { fused.removeValue(forKey: "\(stem)\($0).weight") }
            try #require(all.count == parts.count)
            fused["\(stem)\(whole).weight"] = .init(
                type: all[0].type, shape: [all.reduce(0) { $0 + $1.shape[0] }] + all[0].shape.dropFirst(), bytes: all.flatMap(\.bytes))
        }
        return fused
    }
}
