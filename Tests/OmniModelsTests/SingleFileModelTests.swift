import Foundation
import OmniEngine
import OmniSingleFiles
import OmniTestSupport
import Testing

@testable import OmniModels

/// Models whose networks stand in files of their own: found beside each other, or named.
@Suite struct SingleFileModelTests {
    private let folder: TemporaryFolder
    private let resolver: ModelResolver
    private static let fixture = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "Fixtures/qwen-image/small")
    /// What no shape tells of so small a checkpoint.
    private static let settings = """
        {"config": {"transformer": {"axes_dims_rope": [8, 12, 12]}, "vae": {"latents_mean": [0], "latents_std": [1]},
         "text_encoder": {"head_dim": 8, "num_attention_heads": 4, "num_key_value_heads": 2}}}
        """
    private static let files = [
        "transformer": "transformer/diffusion_pytorch_model.safetensors", "text": "text_encoder/model.safetensors",
        "vae": "vae/diffusion_pytorch_model.safetensors", "tokenizer": "tokenizer/tokenizer.json",
    ]

    init() throws {
        folder = try TemporaryFolder()
        resolver = ModelResolver(
            locations: ModelLocations(
                home: folder.url.appending(path: "home"), hubCache: folder.url.appending(path: "hub"),
                packageModels: folder.url.appending(path: "package")))
    }

    private func put(_ what: String, _ place: String) throws {
        try folder.write(place, try Data(contentsOf: Self.fixture.appending(path: Self.files[what] ?? what)))
    }

    private func path(_ inner: String) -> String { folder.url.appending(path: inner).path }

    private func fault(_ reference: String, _ components: ComponentNames = ComponentNames()) -> ModelError? {
        do throws(ModelError) {
            _ = try resolver.resolve(reference, components: components)
            return nil
        } catch { return error }
    }

    @Test func comfyFoldersAreOneModel() throws {
        try put("transformer", "models/diffusion_models/qwen_image_bf16.safetensors")
        try put("text", "models/text_encoders/qwen_2.5_vl_7b.safetensors")
        try put("tokenizer", "models/text_encoders/tokenizer.json")
        try put("vae", "models/vae/qwen_image_vae.safetensors")
        try folder.write("models/diffusion_models/omni.json", Self.settings)
        for name in ["models", "models/diffusion_models/qwen_image_bf16.safetensors"] {
            let model = try resolver.resolve(path(name))
            #expect(model.kind == .image && model.architecture == "QwenImagePipeline")
            #expect(model.path.lastPathComponent == "qwen_image_bf16.safetensors")
            #expect(model.components?.vae == path("models/vae/qwen_image_vae.safetensors"))
            #expect(model.components?.tokenizer == path("models/text_encoders/tokenizer.json"))
            #expect(model.size > 1_000_000)
        }
    }

    @Test func whatIsMissingIsListedWithTheCommands() throws {
        try put("transformer", "m/qwen_image.safetensors")
        try put("text", "m/qwen_2.5_vl_7b.safetensors")
        try folder.write("m/omni.json", Self.settings)
        let error = try #require(fault(path("m")))
        #expect(error.fault == .missing)
        #expect(error.missing.contains { $0.contains("a VAE") } && error.missing.contains { $0.contains("tokenizer.json") })
        #expect(!error.missing.contains { $0.contains("text encoder (") })
        let vae = "Comfy-Org/Qwen-Image_ComfyUI:split_files/vae/qwen_image_vae.safetensors"
        #expect(error.remedy?.contains("omni models pull \(vae)") == true)
        #expect(error.companions == [vae, "Qwen/Qwen2.5-VL-7B-Instruct:tokenizer.json"])
        // Once they are in the cache they are found.
        try put("vae", "hub/models--Comfy-Org--Qwen-Image_ComfyUI/snapshots/abc/split_files/vae/qwen_image_vae.safetensors")
        try folder.write("hub/models--Comfy-Org--Qwen-Image_ComfyUI/refs/main", "abc")
        try put("tokenizer", "hub/models--Qwen--Qwen2.5-VL-7B-Instruct/snapshots/def/tokenizer.json")
        try folder.write("hub/models--Qwen--Qwen2.5-VL-7B-Instruct/refs/main", "def")
        #expect(try resolver.resolve(path("m")).components?.vae.hasSuffix("split_files/vae/qwen_image_vae.safetensors") == true)
    }

    @Test func ofSeveralFilesOneMustBeNamed() throws {
        try put("transformer", "m/qwen_image.safetensors")
        try put("text", "m/qwen_2.5_vl_7b.safetensors")
        try put("tokenizer", "m/tokenizer.json")
        try put("vae", "m/one.safetensors")
        try put("vae", "m/two.safetensors")
        try folder.write("m/omni.json", Self.settings)
        let error = try #require(fault(path("m")))
        #expect(error.fault == .ambiguous && error.problem.contains("two.safetensors") && error.remedy?.contains("--vae") == true)
        let model = try resolver.resolve(path("m"), components: ComponentNames(vae: path("m/two.safetensors")))
        #expect(model.components?.vae == path("m/two.safetensors"))
        let gone = try #require(fault(path("m"), ComponentNames(vae: "Comfy-Org/Other:vae/ae.safetensors")))
        #expect(gone.fault == .missing && gone.remedy?.contains("omni models pull Comfy-Org/Other:vae/ae.safetensors") == true)
        // Whose it is its name may say; what is another family's by its name is no candidate.
        try put("vae", "m/qwen_image_vae.safetensors")
        try put("vae", "m/sd3_qwen_vae.safetensors")
        #expect(try resolver.resolve(path("m")).components?.vae == path("m/qwen_image_vae.safetensors"))
        try put("transformer", "m/second.safetensors")
        #expect(fault(path("m"))?.fault == .ambiguous)
    }

    @Test func aForeignFileIsNamed() throws {
        let header = #"{"double_blocks.0.img_mod.lin.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
        try folder.write("m/flux1-dev.safetensors", length + Data(header.utf8) + Data(count: 4))
        let error = try #require(fault(path("m/flux1-dev.safetensors")))
        #expect(error.fault == .unsupported && error.problem.contains("FLUX.1"))
        try folder.write("m/flux1-dev-Q4_0.gguf", GGUFBuilder(architecture: "flux").bytes)
        #expect(fault(path("m/flux1-dev-Q4_0.gguf"))?.fault == .unsupported)
    }

    @Test func aDiffusersFolderMayHoldGGUFs() throws {
        for part in [
            "model_index.json", "scheduler/scheduler_config.json", "transformer/config.json", "text_encoder/config.json", "vae/config.json",
        ] {
            try put(part, "d/\(part)")
        }
        for part in ["text", "vae", "tokenizer"] { try put(part, "d/\(Self.files[part] ?? "")") }
        #expect(fault(path("d"))?.missing == [path("d/transformer/*.safetensors")])
        try folder.write("d/transformer/qwen-image-Q4_K_M.gguf", GGUFBuilder(architecture: "qwen_image").bytes)
        #expect(try resolver.resolve(path("d")).architecture == "QwenImagePipeline")
    }

    @Test func aPullMayNameAFileInAFolder() throws {
        let reference = ModelReference("Comfy-Org/z_image_turbo:split_files/vae/ae.safetensors")
        #expect(reference.hubID?.description == "Comfy-Org/z_image_turbo" && reference.variant == "split_files/vae/ae.safetensors")
        #expect(ModelReference("./a:b/c").variant == nil)
    }
}
