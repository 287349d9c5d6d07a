import Foundation
import OmniEngine
import OmniSingleFiles
import OmniTestSupport
import Testing

@testable import OmniDiffusion
@testable import OmniTensor

/// What is broken, foreign or not whole is refused with the reason, before anything is loaded.
@Suite struct SingleFileRefusalTests {
    private static let one = CheckpointCopy.Stored(type: "F32", shape: [1], bytes: [0, 0, 0, 0])

    private static func complaint(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "accepted"
        } catch { return "\(error)" }
    }

    /// What reading a file of these tensors says.
    private static func complaint(_ tensors: [String]) throws -> String {
        let folder = try SingleFileFolder(of: "zimage/small")
        try folder.write("file.safetensors", Dictionary(uniqueKeysWithValues: tensors.map { ($0, one) }))
        return complaint { _ = try SingleFile.read("\(folder.path)/file.safetensors") }
    }

    @Test(arguments: [
        ("double_blocks.0.img_mod.lin.weight", "FLUX.1"), ("guidance_in.in_layer.weight", "FLUX.2 [dev]"),
        ("model.diffusion_model.input_blocks.0.0.weight", "Stable Diffusion"),
        ("joint_blocks.0.x_block.attn.qkv.weight", "Stable Diffusion 3"),
        ("vace_blocks.0.after_proj.bias", "Wan VACE"), ("txt_in.individual_token_refiner.blocks.0.self_attn_qkv.weight", "HunyuanVideo"),
        ("distilled_guidance_layer.in_proj.weight", "Chroma"), ("__index_timestep_zero__", "Qwen-Image-Edit-2511"),
        ("text_model.encoder.layers.0.self_attn.q_proj.weight", "CLIP"), ("diffusion_model.layers.0.attention.qkv.lora_A.weight", "LoRA"),
        ("wrong", "no network that is known"),
    ])
    func foreignNetworksAreNamed(tensor: String, name: String) throws {
        let text = try Self.complaint([tensor])
        #expect(text.contains("file.safetensors") && text.contains(name), "\(text)")
    }

    @Test func whatDoesNotBelongIsNamed() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        var own = try SingleFileNames.zImage(folder.tensors("transformer"))
        own["siglip_refiner.0.weight"] = Self.one
        try folder.write("more.safetensors", own)
        #expect(Self.complaint { _ = try SingleFile.read("\(folder.path)/more.safetensors") }.contains("siglip_refiner.0.weight"))
        own["siglip_refiner.0.weight"] = nil
        let qkv = try #require(own["layers.0.attention.qkv.weight"])
        own["layers.0.attention.qkv.weight"] = .init(type: "F32", shape: [5, 4], bytes: Array(qkv.bytes[..<80]))
        try folder.write("odd.safetensors", own)
        #expect(Self.complaint { _ = try SingleFile.read("\(folder.path)/odd.safetensors") }.contains("not 3 equal parts"))
    }

    @Test func tensorsThatAreMissingAreNamed() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        try folder.say(["transformer": ["axes_dims", "axes_lens"], "vae": ["norm_num_groups", "sample_size"]])
        var own = try SingleFileNames.zImage(folder.tensors("transformer"))
        own["layers.1.feed_forward.w2.weight"] = nil
        try folder.write("z_image_turbo.safetensors", own)
        try folder.write("qwen_3_4b.safetensors", folder.tensors("text_encoder"))
        try folder.write("ae.safetensors", SingleFileNames.ldm(folder.tensors("vae"), stages: 2))
        try folder.copy("tokenizer/tokenizer.json", as: "tokenizer.json")
        let source = try folder.source("z_image_turbo.safetensors")
        let text = Self.complaint { _ = try SingleFileFolder.picture(source, .init(prompt: "a", seed: 1)) }
        #expect(text.contains("layers.1.feed_forward.w2.weight") && text.contains("missing"), "\(text)")
    }

    /// A tiny model's sizes say less than a published one's.
    @Test func sizesThatAreNotPublishedAskForWhatTheyLeaveOpen() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        try folder.write("z_image_turbo.safetensors", SingleFileNames.zImage(folder.tensors("transformer")))
        try folder.write("qwen_3_4b.safetensors", folder.tensors("text_encoder"))
        try folder.write("ae.safetensors", SingleFileNames.ldm(folder.tensors("vae"), stages: 2))
        try folder.copy("tokenizer/tokenizer.json", as: "tokenizer.json")
        guard case .files(let paths) = try folder.source("z_image_turbo.safetensors") else { return }
        let text = Self.complaint { _ = try SingleFileSet(paths) }
        #expect(text.contains("axes_dims") || text.contains("norm_num_groups"), "\(text)")
        #expect(text.contains("omni.json"))
    }

    @Test func anotherModelsTokenizerIsRefused() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        try folder.say(["transformer": ["axes_dims", "axes_lens"], "vae": ["norm_num_groups", "sample_size"]])
        try folder.write("z_image_turbo.safetensors", SingleFileNames.zImage(folder.tensors("transformer")))
        try folder.write("qwen_3_4b.safetensors", folder.tensors("text_encoder"))
        try folder.write("ae.safetensors", SingleFileNames.ldm(folder.tensors("vae"), stages: 2))
        // 150 tokens for 384 vectors.
        try FileManager.default.copyItem(
            atPath: "\(SingleFileFolder.fixtures)/wan/ti2v/tokenizer/tokenizer.json", toPath: "\(folder.path)/tokenizer.json")
        let source = try folder.source("z_image_turbo.safetensors")
        #expect(Self.complaint { _ = try SingleFileFolder.picture(source, .init(prompt: "a", seed: 1)) }.contains("another model's"))
    }

    /// Words that are cut in another way are other tokens.
    @Test func aTokenizerOfOtherRulesIsRefused() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        try folder.say(["transformer": ["axes_dims", "axes_lens"], "vae": ["norm_num_groups", "sample_size"]])
        try folder.write("z_image_turbo.safetensors", SingleFileNames.zImage(folder.tensors("transformer")))
        try folder.writeLlama(
            "Qwen3.gguf", SingleFileNames.llama(folder.tensors("text_encoder")), architecture: "qwen3", rules: "llama-bpe")
        try folder.write("ae.safetensors", SingleFileNames.ldm(folder.tensors("vae"), stages: 2))
        let source = try folder.source("z_image_turbo.safetensors")
        let text = Self.complaint { _ = try SingleFileFolder.picture(source, .init(prompt: "a", seed: 1)) }
        #expect(text.contains("Qwen3.gguf") && text.contains("llama-bpe"), "\(text)")
    }

    @Test func kindsThatOnlyTheirNamesTellAreRefused() throws {
        let folder = try SingleFileFolder(of: "qwen-image/small")
        try folder.say([
            "transformer": ["axes_dims_rope"], "vae": ["latents_mean", "latents_std"],
            "text_encoder": ["rope_theta", "num_attention_heads", "num_key_value_heads"],
        ])
        try folder.writeGGUF("qwen-image-edit-2509-Q4_K_M.gguf", folder.tensors("transformer"), architecture: "qwen_image")
        try folder.writeLlama("Qwen2.5-VL-7B.gguf", SingleFileNames.llama(folder.tensors("text_encoder")), architecture: "qwen2vl")
        try folder.write("qwen_image_vae.safetensors", SingleFileNames.wanAutoencoder(folder.tensors("vae"), isNested: false, blocks: 2))
        guard case .files(let paths) = try folder.source("qwen-image-edit-2509-Q4_K_M.gguf") else { return }
        #expect(Self.complaint { _ = try SingleFileSet(paths) }.contains("edit"))
    }

    /// Half of a pair would film half of the way.
    @Test func oneOfTwoExpertsIsNotEnough() throws {
        let folder = try SingleFileFolder(of: "wan/a14b")
        try folder.writeGGUF("wan2.2_i2v_high_noise_14B.gguf", SingleFileNames.wan(folder.tensors("transformer")), architecture: "wan")
        let found = try SingleFileSearch(transformer: "\(folder.path)/wan2.2_i2v_high_noise_14B.gguf").search([], named: [:])
        #expect(found.missing == ["text_encoder", "vae", "transformer_2"])
    }

    @Test func aGGUFThatIsCutShortIsNamed() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        try folder.writeGGUF("z_image.gguf", SingleFileNames.zImage(folder.tensors("transformer")), architecture: "lumina2", type: .q8_0)
        let place = URL(fileURLWithPath: "\(folder.path)/z_image.gguf")
        try Data(contentsOf: place).dropLast(100).write(to: place)
        #expect(Self.complaint { _ = try SingleFile.read(place.path) }.contains("cut short"))
        try Data("GGUF".utf8).write(to: place)
        #expect(Self.complaint { _ = try SingleFile.read(place.path) }.contains("is no GGUF file"))
    }
}
