import OmniAPI

extension SingleFilePipeline {
    static let qwenImage = SingleFilePipeline(
        transformer: "Qwen-Image", textEncoder: "Qwen2.5", vae: "causal autoencoder",
        index: { circumstances in
            // Their tensors are the same; what goes in is not.
            for word in ["edit", "layered"] where circumstances.names(word) {
                throw SingleFileError(circumstances.name, "is a Qwen-Image of the kind `\(word)` by its name, which is another pipeline")
            }
            return JSONObject([("_class_name", "QwenImagePipeline")])
        },
        scheduler: { _ in FlowMatch.dynamic(longest: 8192, most: 0.9, terminal: 0.02, shift: 1) },
        vaeWord: "qwen", textWidth: { $0["joint_attention_dim"]?.intValue }, latentChannels: { $0["in_channels"]?.intValue.map { $0 / 4 } },
        companions: { _ in
            let repository = "Comfy-Org/Qwen-Image_ComfyUI"
            return [
                Companion(
                    part: "text_encoder", repository: repository, file: "split_files/text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors"),
                Companion(part: "vae", repository: repository, file: "split_files/vae/qwen_image_vae.safetensors"),
                Companion(part: "tokenizer", repository: "Qwen/Qwen2.5-VL-7B-Instruct", file: "tokenizer.json"),
            ]
        })
}
