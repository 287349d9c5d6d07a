import ArgumentParser
import OmniEngine
import OmniModels
import OmniSingleFiles

/// Flags that name the networks of a picture or video model which stand in files of their own, as stable-diffusion.cpp and others call them.
/// They belong to one model.
struct ComponentFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp("The transformer of a picture or video model: a .gguf or .safetensors, or OWNER/NAME:FILE.", valueName: "file"))
    var diffusionModel: String?

    @Option(help: ArgumentHelp("Of two experts, the one for much noise; --diffusion-model is for little.", valueName: "file"))
    var highNoiseDiffusionModel: String?

    @Option(
        name: [.customLong("text-encoder"), .customLong("llm"), .customLong("t5xxl")],
        help: ArgumentHelp("Its text encoder; found beside the transformer by default.", valueName: "file"))
    var textEncoder: String?

    @Option(help: ArgumentHelp("Its VAE; found beside the transformer by default.", valueName: "file"))
    var vae: String?

    @Option(help: ArgumentHelp("Its tokenizer.json, where the text encoder's file has none in it.", valueName: "file"))
    var tokenizerFile: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "LoRA adapters of a picture or video model that every request has, each with a weight where 1 is not meant.",
            valueName: "file[:weight]"))
    var lora: [String] = []

    var names: ComponentNames {
        ComponentNames(highNoise: highNoiseDiffusionModel, textEncoder: textEncoder, vae: vae, tokenizer: tokenizerFile)
    }

    /// Long names without dashes.
    static let flags: Set<String> = [
        "diffusion-model", "high-noise-diffusion-model", "text-encoder", "llm", "t5xxl", "vae", "tokenizer-file", "lora",
    ]

    /// The adapters, each with its weight.
    var adapters: [ImageAdapter] {
        lora.map { text in
            guard let colon = text.lastIndex(of: ":"), let weight = Float(text[text.index(after: colon)...]), weight.isFinite else {
                return ImageAdapter(path: text)
            }
            return ImageAdapter(path: String(text[..<colon]), scale: weight)
        }
    }

    /// What a worker was started with; nil for a model in one folder or file.
    var paths: ComponentPaths? {
        guard let diffusionModel, let textEncoder, let vae else { return nil }
        return ComponentPaths(
            transformer: highNoiseDiffusionModel ?? diffusionModel, lowNoise: highNoiseDiffusionModel.map { _ in diffusionModel },
            textEncoder: textEncoder, vae: vae, tokenizer: tokenizerFile)
    }
}
