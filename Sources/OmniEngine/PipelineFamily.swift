/// A family of checkpoints in the layout of the diffusers library: the one table that whoever finds, loads or describes such a
/// folder reads. It knows families that no engine here loads, so that their folders are listed as what they are.
public struct PipelineFamily: Sendable, Equatable {
    public let name: String
    public let kind: ModelKind
    /// What `_class_name` in `model_index.json` can be; the first is the family's own name for it.
    public let pipelines: [String]
    /// What `model_index.json` must name besides: folders of weights, of the tokenizer, of the scheduler.
    public let components: [String]
    /// What `general.architecture` of a GGUF that holds such a transformer alone can be.
    public let ggufArchitectures: [String]

    init(
        _ name: String, _ kind: ModelKind, _ pipelines: [String], gguf: [String] = [],
        components: [String] = ["scheduler", "text_encoder", "tokenizer", "transformer", "vae"]
    ) {
        (self.name, self.kind, self.pipelines, self.components, ggufArchitectures) = (name, kind, pipelines, components, gguf)
    }

    public static let all = [
        PipelineFamily("Z-Image", .image, ["ZImagePipeline"]),
        PipelineFamily("Qwen-Image", .image, ["QwenImagePipeline"], gguf: ["qwen_image"]),
        PipelineFamily("Qwen-Image-Edit", .image, ["QwenImageEditPipeline", "QwenImageEditPlusPipeline"]),
        PipelineFamily("Qwen-Image-Layered", .image, ["QwenImageLayeredPipeline"]),
        PipelineFamily("FLUX.1", .image, ["FluxPipeline", "FluxKontextPipeline", "FluxFillPipeline"], gguf: ["flux"]),
        PipelineFamily("FLUX.2", .image, ["Flux2Pipeline", "Flux2KleinKVPipeline"]),
        PipelineFamily("FLUX.2 klein", .image, ["Flux2KleinPipeline"]),
        PipelineFamily("Stable Diffusion 3", .image, ["StableDiffusion3Pipeline"], gguf: ["sd3"]),
        PipelineFamily(
            "Stable Diffusion XL", .image, ["StableDiffusionXLPipeline"], gguf: ["sdxl"],
            components: ["scheduler", "text_encoder", "tokenizer", "unet", "vae"]),
        PipelineFamily(
            "Stable Diffusion", .image, ["StableDiffusionPipeline"], gguf: ["sd1"],
            components: ["scheduler", "text_encoder", "tokenizer", "unet", "vae"]),
        PipelineFamily("Chroma", .image, ["ChromaPipeline"]),
        PipelineFamily("Ovis-Image", .image, ["OvisImagePipeline"]),
        PipelineFamily("LongCat-Image", .image, ["LongCatImagePipeline", "LongCatImageEditPipeline"]),
        PipelineFamily("Sana", .image, ["SanaPipeline", "SanaSprintPipeline"]),
        PipelineFamily("HiDream", .image, ["HiDreamImagePipeline"], gguf: ["hidream"]),
        PipelineFamily("Lumina 2", .image, ["Lumina2Pipeline"], gguf: ["lumina2"]),
        PipelineFamily("Wan", .video, ["WanPipeline", "WanImageToVideoPipeline"], gguf: ["wan"]),
        PipelineFamily("Wan VACE", .video, ["WanVACEPipeline"]),
        PipelineFamily("Wan Animate", .video, ["WanAnimatePipeline"]),
        PipelineFamily("LTX-Video", .video, ["LTXPipeline", "LTXImageToVideoPipeline", "LTXConditionPipeline"], gguf: ["ltxv"]),
        PipelineFamily("LTX-2", .video, ["LTX2Pipeline", "LTX2ImageToVideoPipeline"]),
        PipelineFamily("HunyuanVideo", .video, ["HunyuanVideoPipeline", "HunyuanVideoImageToVideoPipeline"], gguf: ["hyvid"]),
        PipelineFamily("HunyuanVideo 1.5", .video, ["HunyuanVideo15Pipeline", "HunyuanVideo15ImageToVideoPipeline"]),
        PipelineFamily("CogVideoX", .video, ["CogVideoXPipeline", "CogVideoXImageToVideoPipeline"]),
        PipelineFamily("AuraFlow", .image, ["AuraFlowPipeline"], gguf: ["aura"]),
        PipelineFamily("Cosmos", .video, ["CosmosTextToWorldPipeline", "CosmosVideoToWorldPipeline"], gguf: ["cosmos"]),
        PipelineFamily("Mochi", .video, ["MochiPipeline"]),
    ]

    /// The family whose checkpoints name `pipeline` as their class; nil where none does.
    public static func of(pipeline: String) -> PipelineFamily? { all.first { $0.pipelines.contains(pipeline) } }

    /// The first family whose transformers come as GGUF files of this architecture; nil where none does.
    public static func of(ggufArchitecture: String) -> PipelineFamily? { all.first { $0.ggufArchitectures.contains(ggufArchitecture) } }
}
