import Foundation
import OmniAPI
import OmniLlama

extension GenerationConfig {
    /// The defaults of a model: what the flags say, then `generation_config.json`, then the GGUF's own metadata. Throws
    /// ``APIError`` naming a file that cannot be read.
    init(of model: LlamaModel, options: TextEngineOptions) throws {
        let recommended =
            switch options.generationConfig {
            case .none: GenerationConfig()
            case .auto:
                try GenerationConfig(folder: URL(filePath: model.path).deletingLastPathComponent(), mustExist: false).over(
                    GenerationConfig(metadata: model.metadata))
            case .folder(let path): try GenerationConfig(folder: URL(filePath: path), mustExist: true)
            }
        self = options.overrideGenerationConfig.over(recommended)
    }

    /// What a folder's `generation_config.json` says; nothing where there is none and it need not be.
    init(folder: URL, mustExist: Bool) throws {
        let file = folder.appending(path: "generation_config.json")
        self.init()
        guard mustExist || FileManager.default.fileExists(atPath: file.path) else { return }
        do {
            self = try GenerationConfig(json: JSONValue.parse(Data(contentsOf: file)), at: .root("generation_config"))
        } catch {
            let reason = (error as? APIError)?.message ?? (error as? JSONSyntaxError)?.reason ?? error.localizedDescription
            throw APIError(
                .internalError, "\(file.path) cannot be used: \(reason)",
                remedy: "Correct or remove it, or start with --generation-config vllm.")
        }
    }

    /// `general.sampling.*` of a GGUF.
    init(metadata: (String) -> String?) {
        func number(_ key: String) -> Double? { metadata("general.sampling.\(key)").flatMap { Double($0) } }
        self.init()
        temperature = number("temp")
        topP = number("top_p")
        topK = number("top_k").flatMap { Int(exactly: $0) }
        minP = number("min_p")
        repetitionPenalty = number("penalty_repeat")
    }
}
