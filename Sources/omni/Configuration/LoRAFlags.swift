import ArgumentParser
import Foundation
import OmniAPI

/// Flags of low-rank adapters for language models, by vLLM's names.
struct LoRAFlags: ParsableArguments {
    @Flag(help: "Take low-rank adapters for language models.")
    var enableLora = false

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Adapters, each a model of its own: NAME=PATH of a GGUF or a folder of PEFT, or '{\"name\": …, \"path\": …, \"base_model_name\": …}'.",
            valueName: "name=path"))
    var loraModules: [String] = []

    @Option(help: ArgumentHelp("Adapters of a model in memory at once; 8 by default.", valueName: "count"))
    var maxLoras: Int?

    @Option(help: ArgumentHelp("Largest rank of an adapter; any by default.", valueName: "rank"))
    var maxLoraRank: Int?

    @Flag(
        help: ArgumentHelp(
            "Let clients load and unload adapters by POST /v1/load_lora_adapter; also VLLM_ALLOW_RUNTIME_LORA_UPDATING=True."))
    var allowRuntimeLoraUpdating = false

    func validate() throws {
        for (name, value) in [("--max-loras", maxLoras), ("--max-lora-rank", maxLoraRank)] where (value ?? 1) < 1 {
            throw ValidationError("\(name) must be at least 1.")
        }
        guard enableLora || loraModules.isEmpty else { throw ValidationError("--lora-modules needs --enable-lora.") }
        _ = try modules
    }

    /// What `--lora-modules` says.
    var modules: [LoRAModule] {
        get throws {
            try loraModules.map { text in
                if text.hasPrefix("{") {
                    do { return try LoRAModule(json: try JSONValue.parse(text), at: .root("--lora-modules")) } catch {
                        throw ValidationError("--lora-modules \(text): \((error as? APIError)?.message ?? "it is no JSON").")
                    }
                }
                let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                    throw ValidationError("--lora-modules must be NAME=PATH or a JSON object, not `\(text)`.")
                }
                return LoRAModule(name: parts[0], path: parts[1])
            }
        }
    }

    /// Whether adapters may come and go while the server runs.
    var allowsUpdates: Bool {
        let environment = ProcessInfo.processInfo.environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] ?? ""
        return enableLora && (allowRuntimeLoraUpdating || ["1", "true"].contains(environment.lowercased()))
    }

    /// For the worker of a language model.
    var workerArguments: [String] {
        guard enableLora else { return [] }
        return ["--max-loras", String(maxLoras ?? 8)] + (maxLoraRank.map { ["--max-lora-rank", String($0)] } ?? [])
    }
}
