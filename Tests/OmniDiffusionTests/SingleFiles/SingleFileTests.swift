import Foundation
import OmniEngine
import OmniSingleFiles
import OmniTestSupport
import Testing

@testable import OmniDiffusion
@testable import OmniTensor

/// The files that people have draw what the diffusers folder draws that they are made of: bit for bit where nothing is rounded.
@Suite struct SingleFileTests {
    // MARK: Z-Image

    private static let zImageKeys = [
        "transformer": ["axes_dims", "axes_lens"], "vae": ["norm_num_groups", "sample_size"], "text_encoder": ["rope_theta"],
    ]

    private static func zImageRequest() -> ImageRequest {
        PictureParityTests.request(42, steps: 2) { ($0.width, $0.height) = (40, 24) }
    }

    private static func zImage() throws -> SingleFileFolder {
        let folder = try SingleFileFolder(of: "zimage/small")
        try folder.say(zImageKeys)
        return folder
    }

    private static func reference(_ folder: SingleFileFolder, _ request: ImageRequest) throws -> [Float] {
        try SingleFileFolder.picture(.folder(folder.source), request)
    }

    @Test(arguments: ["ComfyUI", "without a prefix", "city96", "leejet", "in diffusers' names", "all in one"]) func zImageDraws(
        layout: String
    ) throws {
        let folder = try Self.zImage()
        let (own, text) = (try SingleFileNames.zImage(folder.tensors("transformer")), try folder.tensors("text_encoder"))
        let vae = SingleFileNames.ldm(try folder.tensors("vae"), stages: 2)
        let encoders = { try folder.write("text_encoders/qwen_3_4b.safetensors", text) }
        let tokenizer = { try folder.copy("tokenizer/tokenizer.json", as: "text_encoders/tokenizer.json") }
        let transformer: String
        switch layout {
        case "ComfyUI":
            transformer = "diffusion_models/z_image_turbo_bf16.safetensors"
            try folder.write(transformer, own, prefix: "model.diffusion_model.")
            try encoders()
            try tokenizer()
            try folder.write("vae/ae.safetensors", vae)
            try FileManager.default.moveItem(atPath: "\(folder.path)/omni.json", toPath: "\(folder.path)/diffusion_models/omni.json")
        case "without a prefix":
            transformer = "z_image_turbo_bf16.safetensors"
            try folder.write(transformer, own)
            try encoders()
            try tokenizer()
            try folder.write("ae.safetensors", vae)
        case "city96":
            transformer = "z_image_turbo-F32.gguf"
            try folder.writeGGUF(transformer, own, architecture: "lumina2")
            try folder.writeLlama("Qwen3-4B-F32.gguf", SingleFileNames.llama(text), architecture: "qwen3")
            try folder.write("ae.safetensors", vae)
        case "leejet":
            transformer = "z_image_turbo-F32.gguf"
            try folder.writeGGUF(transformer, own, architecture: nil, prefix: "model.diffusion_model.")
            try folder.writeLlama("Qwen3-4B-F32.gguf", SingleFileNames.llama(text), architecture: "qwen3")
            try folder.write("ae.safetensors", vae, prefix: "first_stage_model.")
        case "in diffusers' names":
            transformer = "transformer.safetensors"
            try folder.write(transformer, folder.tensors("transformer"))
            try encoders()
            try tokenizer()
            try folder.write("vae.safetensors", folder.tensors("vae"))
        default:
            transformer = "z_image_turbo_aio.safetensors"
            func prefixed(_ tensors: StoredTensors, _ prefix: String) -> StoredTensors {
                Dictionary(uniqueKeysWithValues: tensors.map { (prefix + $0.key, $0.value) })
            }
            let all = [
                prefixed(own, "model.diffusion_model."), prefixed(text, "text_encoders.qwen3_4b.transformer."), prefixed(vae, "vae."),
            ]
            try folder.write(transformer, all.reduce(into: [:]) { $0.merge($1) { $1 } })
            try folder.copy("tokenizer/tokenizer.json", as: "tokenizer.json")
        }
        let request = Self.zImageRequest()
        #expect(try SingleFileFolder.picture(folder.source(transformer), request) == Self.reference(folder, request))
    }

    @Test(arguments: ["q8_0", "scale_weight", "weight_scale"]) func roundedZImageDrawsNearly(form: String) throws {
        let folder = try Self.zImage()
        let (own, text) = (try SingleFileNames.zImage(folder.tensors("transformer")), try folder.tensors("text_encoder"))
        try folder.write("ae.safetensors", SingleFileNames.ldm(folder.tensors("vae"), stages: 2))
        try folder.copy("tokenizer/tokenizer.json", as: "tokenizer.json")
        let transformer: String
        if form == "q8_0" {
            transformer = "z_image_turbo-Q8_0.gguf"
            // A row of the fused matrix is split off its neighbours in blocks.
            try folder.writeGGUF(transformer, own, architecture: "lumina2", type: .q8_0)
            try folder.write("qwen_3_4b.safetensors", text)
        } else {
            transformer = "z_image_turbo_fp8_scaled.safetensors"
            try folder.write(transformer, SingleFileFolder.eightBitFloats(own, scale: form, marker: form == "weight_scale"))
            try folder.write(
                "qwen_3_4b_fp8.safetensors", SingleFileFolder.eightBitFloats(text, scale: form, marker: form == "weight_scale"))
        }
        let request = Self.zImageRequest()
        let distance = peakSignalToNoise(
            try SingleFileFolder.picture(folder.source(transformer), request), try Self.reference(folder, request))
        #expect(distance >= (form == "q8_0" ? 35 : 18), "PSNR \(distance)")
    }

    // MARK: FLUX.2 klein

    @Test(arguments: ["BFL", "GGUF"]) func flux2KleinDraws(layout: String) throws {
        let folder = try SingleFileFolder(of: "flux2-klein/small")
        try folder.say(
            ["transformer": ["axes_dims_rope"], "vae": ["norm_num_groups", "sample_size"], "text_encoder": ["rope_theta"]],
            index: ["is_distilled": true])
        let own = try SingleFileNames.flux2(folder.tensors("transformer"))
        let text = try folder.tensors("text_encoder")
        try folder.write("flux2-vae.safetensors", SingleFileNames.ldm(folder.tensors("vae"), stages: 3, inHalves: true))
        let transformer = "flux-2-klein-4b.\(layout == "BFL" ? "safetensors" : "gguf")"
        if layout == "BFL" {
            try folder.write(transformer, own)
            try folder.write("qwen_3_4b.safetensors", text)
            try folder.copy("tokenizer/tokenizer.json", as: "tokenizer.json")
        } else {
            try folder.writeGGUF(transformer, own, architecture: "flux")
            try folder.writeLlama("Qwen3-4B.gguf", SingleFileNames.llama(text), architecture: "qwen3")
        }
        let request = Flux2KleinFixtures.request(5, steps: 2) { ($0.width, $0.height) = (40, 24) }
        #expect(try SingleFileFolder.picture(folder.source(transformer), request) == Self.reference(folder, request))
    }

    // MARK: Qwen-Image

    @Test(arguments: ["ComfyUI", "GGUF"]) func qwenImageDraws(layout: String) throws {
        let folder = try SingleFileFolder(of: "qwen-image/small")
        try folder.say([
            "transformer": ["axes_dims_rope"], "vae": ["latents_mean", "latents_std"],
            "text_encoder": ["rope_theta", "num_attention_heads", "num_key_value_heads"] + (layout == "GGUF" ? [] : ["head_dim"]),
        ])
        if layout == "ComfyUI" { try folder.addHeadSize() }
        let (own, text) = (try folder.tensors("transformer"), try folder.tensors("text_encoder"))
        try folder.write("qwen_image_vae.safetensors", SingleFileNames.wanAutoencoder(folder.tensors("vae"), isNested: false, blocks: 2))
        let transformer = "qwen-image.\(layout == "GGUF" ? "gguf" : "safetensors")"
        if layout == "GGUF" {
            try folder.writeGGUF(transformer, own, architecture: "qwen_image")
            try folder.writeLlama("Qwen2.5-VL-7B-Instruct.gguf", SingleFileNames.llama(text), architecture: "qwen2vl")
        } else {
            try folder.write(transformer, own, prefix: "model.diffusion_model.")
            try folder.write("qwen_2.5_vl_7b.safetensors", text)
            try folder.copy("tokenizer/tokenizer.json", as: "tokenizer.json")
        }
        var request = ImageRequest(prompt: "a red fox", seed: 3)
        (request.width, request.height, request.steps) = (32, 32, 2)
        #expect(try SingleFileFolder.picture(folder.source(transformer), request) == Self.reference(folder, request))
    }

    // MARK: Wan

    private static let wanKeys = [
        "transformer": ["attention_head_dim", "num_attention_heads"], "transformer_2": ["attention_head_dim", "num_attention_heads"],
        "vae": ["latents_mean", "latents_std"], "text_encoder": ["relative_attention_max_distance"],
    ]

    @Test(arguments: [("t2v", "GGUF"), ("ti2v", "ComfyUI"), ("ti2v", "own names"), ("ti2v", "GGUF"), ("a14b", "GGUF")])
    func wanFilms(checkpoint: String, layout: String) throws {
        let folder = try SingleFileFolder(of: "wan/\(checkpoint)")
        try folder.say(
            Self.wanKeys, index: ["boundary_ratio": checkpoint == "a14b" ? 0.8 : NSNull(), "expand_timesteps": checkpoint == "ti2v"])
        let isNested = checkpoint == "ti2v"
        try folder.write(
            "wan_vae.safetensors", SingleFileNames.wanAutoencoder(folder.tensors("vae"), isNested: isNested, blocks: 2))
        let text = try folder.tensors("text_encoder")
        let parts = checkpoint == "a14b" ? [("transformer", "high_noise"), ("transformer_2", "low_noise")] : [("transformer", "only")]
        for (component, noise) in parts {
            let own = SingleFileNames.wan(try folder.tensors(component))
            if layout == "GGUF" {
                // ComfyUI-GGUF's tools write its kernel over five axes.
                try folder.writeGGUF("wan_\(noise)_14B.gguf", own, architecture: "wan")
            } else {
                try folder.write("wan_\(noise)_14B.safetensors", own, prefix: "model.diffusion_model.")
            }
        }
        if layout == "GGUF" {
            // Of the tiny tokenizers one has SentencePiece's rules, which are those of a GGUF's.
            try folder.writeT5("umt5-xxl-encoder-F32.gguf", SingleFileNames.llamaT5(text), withTokenizer: checkpoint == "t2v")
        } else {
            try folder.write("umt5_xxl.safetensors", layout == "ComfyUI" ? text : SingleFileNames.wanT5(text))
        }
        if checkpoint != "t2v" { try folder.copy("tokenizer/tokenizer.json", as: "tokenizer.json") }
        let test = try #require(WanVideoTests.cases.first { $0.checkpoint == checkpoint && $0.name != "plain" })
        var request = try WanVideoTests.request(test)
        request.steps = 2
        let transformer = "wan_\(parts.last?.1 ?? "")_14B.\(layout == "GGUF" ? "gguf" : "safetensors")"
        #expect(try SingleFileFolder.film(folder.source(transformer), request) == SingleFileFolder.film(.folder(folder.source), request))
    }

    // MARK: GGUF in a diffusers folder

    @Test(arguments: ["lumina2", nil]) func aFolderMayHoldGGUFs(architecture: String?) throws {
        let (copy, folder) = (try CheckpointCopy("small"), try Self.zImage())
        for component in ["transformer", "text_encoder"] {
            for file in try FileManager.default.contentsOfDirectory(atPath: "\(copy.folder)/\(component)") where file != "config.json" {
                try FileManager.default.removeItem(atPath: "\(copy.folder)/\(component)/\(file)")
            }
        }
        try folder.writeGGUF("transformer.gguf", SingleFileNames.zImage(folder.tensors("transformer")), architecture: architecture)
        try folder.writeLlama("text.gguf", SingleFileNames.llama(folder.tensors("text_encoder")), architecture: "qwen3")
        try FileManager.default.moveItem(atPath: "\(folder.path)/transformer.gguf", toPath: "\(copy.folder)/transformer/z_image-Q4.gguf")
        try FileManager.default.moveItem(atPath: "\(folder.path)/text.gguf", toPath: "\(copy.folder)/text_encoder/Qwen3.gguf")
        let request = Self.zImageRequest()
        #expect(try SingleFileFolder.picture(.folder(copy.folder), request) == Self.reference(folder, request))
    }
}
