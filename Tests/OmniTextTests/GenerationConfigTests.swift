import Foundation
import OmniAPI
import OmniEngine
import Testing

@testable import OmniText

@Suite("Defaults for sampling")
struct GenerationConfigTests {
    private func config(_ text: String) throws -> GenerationConfig { try GenerationConfig(json: JSONValue.parse(text)) }

    /// A folder with this `generation_config.json`, for as long as `body` runs.
    private func folder<Result>(_ text: String, _ body: (URL) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "generation-config-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try text.write(to: folder.appending(path: "generation_config.json"), atomically: true, encoding: .utf8)
        return try await body(folder)
    }

    @Test("transformers' file is read, and what is not about sampling is passed over")
    func file() async throws {
        let text =
            #"{"bos_token_id": 1, "do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": null, "max_new_tokens": 9, "transformers_version": "4.42.3"}"#
        let read = try await folder(text) { try GenerationConfig(folder: $0, mustExist: true) }
        #expect(read == (try config(#"{"temperature": 0.6, "top_k": 20, "max_new_tokens": 9}"#)))
    }

    @Test("one that is damaged or out of range is named", arguments: ["{", #"{"temperature": -1}"#, "[]"])
    func damaged(text: String) async throws {
        try await folder(text) { folder in
            let error = #expect(throws: APIError.self) { try GenerationConfig(folder: folder, mustExist: false) }
            #expect(error?.message.contains(folder.path) == true)
        }
    }

    @Test("a folder without one has no defaults, unless it was named for them")
    func absent() throws {
        let nowhere = URL(filePath: "/nowhere")
        #expect(try GenerationConfig(folder: nowhere, mustExist: false) == GenerationConfig())
        let error = #expect(throws: APIError.self) { try GenerationConfig(folder: nowhere, mustExist: true) }
        #expect(error?.message.contains("/nowhere/generation_config.json") == true)
    }

    @Test("a GGUF's own metadata is read")
    func metadata() throws {
        let values = ["temp": "0.7", "top_k": "40", "min_p": "0.05", "penalty_repeat": "1.1"]
        let read = GenerationConfig { values[String($0.dropFirst("general.sampling.".count))] }
        #expect(read == (try config(#"{"temperature": 0.7, "top_k": 40, "min_p": 0.05, "repetition_penalty": 1.1}"#)))
    }

    @Test("each value comes from the first who gives it")
    func precedence() throws {
        let merged = try config(#"{"temperature": 0.1}"#).over(config(#"{"temperature": 0.2, "top_p": 0.3}"#)).over(
            config(#"{"top_p": 0.4, "top_k": 5}"#))
        #expect(merged == (try config(#"{"temperature": 0.1, "top_p": 0.3, "top_k": 5}"#)))
    }

    @Test("the flags' words")
    func words() {
        #expect(GenerationConfigSource(flag: "auto") == .auto)
        #expect(GenerationConfigSource(flag: "vllm") == .none)
        #expect(GenerationConfigSource(flag: "./mine") == .folder("./mine"))
    }

    @Test("a request's own values win over the model's defaults", .enabled(if: TestModel.isHere))
    func requestsWin() async throws {
        try await folder(#"{"temperature": 0, "max_new_tokens": 3}"#) { folder in
            var options = TextEngineOptions()
            options.generationConfig = .folder(folder.path)
            options.overrideGenerationConfig.topK = 7
            let engine = try await TestModel.engine(options)
            var parameters = SamplingParameters()
            let plain = try SamplingPlan(parameters, defaults: engine.defaults, vocabulary: engine.vocabulary)
            #expect(plain.isGreedy && plain.topK == 7 && plain.topP == 1 && plain.repetitionPenalty == 1)
            (parameters.temperature, parameters.topK) = (1, 0)
            let asked = try SamplingPlan(parameters, defaults: engine.defaults, vocabulary: engine.vocabulary)
            #expect(asked.temperature == 1 && asked.topK == 0)

            let short = try await engine.answers(
                question("Say hi.") { ($0.maxTokens, $0.sampling.temperature, $0.sampling.ignoreEOS) = (nil, nil, true) })
            #expect(short.usage.completionTokens == 3)
            let long = try await engine.answers(question("Say hi.", maxTokens: 5) { $0.sampling.ignoreEOS = true })
            #expect(long.usage.completionTokens == 5)
            #expect(engine.card.details["default_sampling"] == ["temperature": 0.0, "top_k": 7, "max_new_tokens": 3])
            await engine.shutdown()
        }
    }
}
