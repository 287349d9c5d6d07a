import OmniAPI

extension SingleFilePipeline {
    static let flux2Klein = SingleFilePipeline(
        transformer: "FLUX.2 klein", textEncoder: "Qwen3", vae: "AutoencoderKL",
        index: { circumstances in
            JSONObject([("_class_name", "Flux2KleinPipeline"), ("is_distilled", .bool(!circumstances.names("base")))])
        },
        scheduler: { _ in FlowMatch.dynamic(longest: 4096, most: 1.15, terminal: nil, shift: 3) },
        textWidth: { $0["joint_attention_dim"]?.intValue.map { $0 / 3 } }, latentChannels: { $0["in_channels"]?.intValue.map { $0 / 4 } },
        companions: { config in
            let (repository, encoder) =
                config["joint_attention_dim"]?.intValue == 3 * 4096
                ? ("Comfy-Org/flux2-klein-9B", "qwen_3_8b_fp8mixed.safetensors") : ("Comfy-Org/flux2-klein-4B", "qwen_3_4b.safetensors")
            return [
                Companion(part: "text_encoder", repository: repository, file: "split_files/text_encoders/\(encoder)"),
                Companion(part: "vae", repository: "Comfy-Org/flux2-klein-4B", file: "split_files/vae/flux2-vae.safetensors"),
                Companion(part: "tokenizer", repository: "black-forest-labs/FLUX.2-klein-4B", file: "tokenizer/tokenizer.json"),
            ]
        })
}
