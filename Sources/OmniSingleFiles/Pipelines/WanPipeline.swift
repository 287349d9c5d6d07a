import OmniAPI

extension SingleFilePipeline {
    static let wan = SingleFilePipeline(
        transformer: "Wan", textEncoder: "UMT5", vae: "causal autoencoder",
        index: { circumstances in
            let (inputs, outputs) = (
                circumstances.config["in_channels"]?.intValue ?? 0, circumstances.config["out_channels"]?.intValue ?? 0
            )
            if circumstances.config["image_dim"]?.intValue != nil {
                throw SingleFileError(
                    circumstances.name, "looks at pictures through CLIP (Wan 2.1 I2V), which is loaded from a diffusers folder only")
            }
            // Half of a pair knows half of the way; only their names say that they are a pair.
            if !circumstances.hasSecond, circumstances.isHalf {
                throw SingleFileError(circumstances.name, "is one of two experts of Wan 2.2 by its name, and the other is not there")
            }
            return JSONObject([
                ("_class_name", inputs == outputs ? "WanPipeline" : "WanImageToVideoPipeline"),
                ("expand_timesteps", .bool(inputs >= 48 && inputs == outputs)),
                // No file holds it: the publisher's.
                ("boundary_ratio", circumstances.hasSecond ? .number(inputs == outputs ? 0.875 : 0.9) : .null),
            ])
        },
        scheduler: { circumstances in
            let isLarge = circumstances.config["out_channels"]?.intValue ?? 0 >= 48
            return JSONObject([
                ("_class_name", "UniPCMultistepScheduler"), ("num_train_timesteps", 1000), ("prediction_type", "flow_prediction"),
                ("use_flow_sigmas", true), ("flow_shift", isLarge ? 5.0 : 3.0), ("solver_order", 2), ("solver_type", "bh2"),
                ("predict_x0", true),
                ("lower_order_final", true), ("final_sigmas_type", "zero"), ("timestep_spacing", "linspace"), ("thresholding", false),
            ])
        },
        vaeWord: "wan", textWidth: { $0["text_dim"]?.intValue }, latentChannels: { $0["out_channels"]?.intValue },
        companions: { config in
            let isLarge = config["out_channels"]?.intValue ?? 0 >= 48
            let (first, second) = ("Comfy-Org/Wan_2.1_ComfyUI_repackaged", "Comfy-Org/Wan_2.2_ComfyUI_Repackaged")
            return [
                Companion(part: "text_encoder", repository: "city96/umt5-xxl-encoder-gguf", file: "umt5-xxl-encoder-Q8_0.gguf"),
                isLarge
                    ? Companion(part: "vae", repository: second, file: "split_files/vae/wan2.2_vae.safetensors")
                    : Companion(part: "vae", repository: first, file: "split_files/vae/wan_2.1_vae.safetensors"),
                Companion(part: "tokenizer", repository: "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", file: "tokenizer/tokenizer.json"),
            ]
        })
}

extension Circumstances {
    /// Of two experts, one.
    var isHalf: Bool { ["high-noise", "low-noise", "highnoise", "lownoise"].contains(where: names) }
}
