import OmniAPI

extension SingleFilePipeline {
    static let zImage = SingleFilePipeline(
        transformer: "Z-Image", textEncoder: "Qwen3", vae: "AutoencoderKL",
        index: { circumstances in
            // The publisher's names; what is called otherwise was nearly always made of the fast one.
            let isBase = circumstances.names("z-image") && !circumstances.names("turbo")
            return JSONObject([("_class_name", "ZImagePipeline"), ("_name_or_path", isBase ? "Z-Image" : "Z-Image-Turbo")])
        },
        scheduler: { circumstances in
            let isBase = circumstances.names("z-image") && !circumstances.names("turbo")
            return FlowMatch.fixed(shift: isBase ? 6 : 3)
        },
        vaeConfig: JSONObject([("scaling_factor", 0.3611), ("shift_factor", 0.1159)]),
        textWidth: { $0["cap_feat_dim"]?.intValue }, latentChannels: { $0["in_channels"]?.intValue },
        companions: { _ in
            [
                Companion(
                    part: "text_encoder", repository: "Comfy-Org/z_image_turbo", file: "split_files/text_encoders/qwen_3_4b.safetensors"),
                Companion(part: "vae", repository: "Comfy-Org/z_image_turbo", file: "split_files/vae/ae.safetensors"),
                Companion(part: "tokenizer", repository: "Tongyi-MAI/Z-Image-Turbo", file: "tokenizer/tokenizer.json"),
            ]
        })
}

/// Configurations of the flow-matching scheduler of Euler's method.
enum FlowMatch {
    static func fixed(shift: Double) -> JSONObject {
        JSONObject([
            ("_class_name", "FlowMatchEulerDiscreteScheduler"), ("num_train_timesteps", 1000), ("shift", .number(shift)),
            ("use_dynamic_shifting", false),
        ])
    }

    /// - Parameter longest: tokens of the largest picture, which has the shift `most`.
    static func dynamic(longest: Int, most: Double, terminal: Double?, shift: Double) -> JSONObject {
        JSONObject([
            ("_class_name", "FlowMatchEulerDiscreteScheduler"), ("num_train_timesteps", 1000), ("shift", .number(shift)),
            ("use_dynamic_shifting", true), ("base_shift", 0.5), ("max_shift", .number(most)), ("base_image_seq_len", 256),
            ("max_image_seq_len", .int(longest)), ("shift_terminal", terminal.map { .number($0) } ?? .null),
            ("time_shift_type", "exponential"),
        ])
    }
}
