import OmniGGUF

/// Networks that are recognised, to be refused by their name.
enum ForeignNetwork {
    /// Ends of names that only these have; the more particular first.
    private static let marks = [
        ("vace_blocks.0.after_proj.bias", "Wan VACE"), ("face_adapter.fuser_blocks.0.linear1_kv.weight", "Wan Animate"),
        ("ref_conv.weight", "Wan's control of a camera or a reference"), ("img_emb.emb_pos", "Wan's first and last frame"),
        ("guidance_in.in_layer.weight", "a transformer with guidance in it (FLUX.1 [dev], FLUX.2 [dev])"),
        ("double_blocks.0.img_mod.lin.weight", "FLUX.1"), ("distilled_guidance_layer.in_proj.weight", "Chroma"),
        ("txt_in.individual_token_refiner.blocks.0.self_attn.qkv.weight", "HunyuanVideo"),
        ("txt_in.individual_token_refiner.blocks.0.self_attn_qkv.weight", "HunyuanVideo"),
        ("joint_blocks.0.x_block.attn.qkv.weight", "Stable Diffusion 3"), ("input_blocks.0.0.weight", "Stable Diffusion"),
        ("adaln_single.linear.weight", "LTX-Video or PixArt"),
        ("siglip_embedder.0.weight", "Z-Image Omni"), ("double_stream_blocks.0.block.ff_i.shared_experts.w3.weight", "HiDream"),
        ("__index_timestep_zero__", "Qwen-Image-Edit-2511"), ("time_text_embed.addition_t_embedding.weight", "Qwen-Image-Layered"),
        ("text_model.encoder.layers.0.self_attn.q_proj.weight", "CLIP"), ("v.patch_embd.weight", "a projector for pictures"),
        ("decoder.layers.0.weight", "a small autoencoder for previews (TAE)"), ("lora_A.weight", "a LoRA adapter"),
        ("lora_down.weight", "a LoRA adapter"),
    ]

    static func named(_ names: Set<String>, _ header: GGUFHeader?) -> String? {
        if header?.isProjector == true { return "a projector for pictures" }
        return marks.first { mark in names.contains { $0 == mark.0 || $0.hasSuffix(".\(mark.0)") } }?.1
    }
}
