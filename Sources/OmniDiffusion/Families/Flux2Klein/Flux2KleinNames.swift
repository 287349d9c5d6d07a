import Foundation

/// The publisher's own names of the transformer's modules, which most adapters have.
enum Flux2KleinNames {
    private static let parts = [
        (".ff_context.linear_in", ".txt_mlp.0"), (".ff_context.linear_out", ".txt_mlp.2"), (".ff.linear_in", ".img_mlp.0"),
        (".ff.linear_out", ".img_mlp.2"), (".attn.to_add_out", ".txt_attn.proj"), (".attn.to_out.0", ".img_attn.proj"),
    ]
    private static let single = [(".attn.to_qkv_mlp_proj", ".linear1"), (".attn.to_out", ".linear2")]
    // Not the last layer's modulation, whose halves the publisher has the other way round.
    private static let whole = [
        "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear",
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "single_stream_modulation.linear": "single_stream_modulation.lin",
        "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
        "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
    ]

    static func alias(_ module: String) -> String? {
        if let name = whole[module] { return name }
        let isSingle = module.hasPrefix("single_transformer_blocks.")
        guard isSingle || module.hasPrefix("transformer_blocks."),
            let (own, name) = (isSingle ? single : parts).first(where: { module.hasSuffix($0.0) })
        else { return nil }
        let blocks = isSingle ? ("single_transformer_blocks.", "single_blocks.") : ("transformer_blocks.", "double_blocks.")
        return blocks.1 + module.dropFirst(blocks.0.count).dropLast(own.count) + name
    }

    /// Queries, keys and values of a stream have one name.
    static func fused(_ module: String) -> FusedName? {
        let streams = [("img_attn", ["to_q", "to_k", "to_v"]), ("txt_attn", ["add_q_proj", "add_k_proj", "add_v_proj"])]
        guard module.hasPrefix("transformer_blocks.") else { return nil }
        for (stream, names) in streams {
            guard let part = names.firstIndex(where: { module.hasSuffix(".attn.\($0)") }) else { continue }
            let block = module.dropFirst("transformer_blocks.".count).dropLast(".attn.\(names[part])".count)
            return FusedName(name: "double_blocks.\(block).\(stream).qkv", part: part)
        }
        return nil
    }
}
