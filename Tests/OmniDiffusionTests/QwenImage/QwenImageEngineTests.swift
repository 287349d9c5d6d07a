import Foundation
import OmniAPI
import OmniEngine
import Testing

@testable import OmniDiffusion

/// The engine with a Qwen-Image checkpoint, as a worker uses it.
@Suite struct QwenImageEngineTests {
    static func engine(_ folder: String = "\(QwenImageFixtures.root)/small") async throws -> DiffusionEngine {
        var options = DiffusionOptions()
        (options.threads, options.useGPU) = (2, false)
        return try await DiffusionEngine.load(.folder(folder), options: options)
    }

    @Test func defaultsAreThePipelines() async throws {
        let engine = try await Self.engine()
        #expect(engine.imageDefaults == ImageDefaults(width: 512, height: 512, steps: 50, guidanceScale: 4, strength: 0.6, multiple: 8))
        #expect(engine.card.kind == .image && engine.card.details["pipeline"]?.stringValue == "QwenImagePipeline")
    }

    @Test func adaptersChangeThePictureAsInTheReference() async throws {
        let engine = try await Self.engine()
        var request = QwenImageFixtures.request(51, steps: 4) { ($0.width, $0.height) = (40, 24) }
        let plain = try await EngineTests.images(engine, request)[0]
        request.adapters = [ImageAdapter(path: "\(QwenImageFixtures.root)/adapter.safetensors", scale: 0.8)]
        let adapted = try await EngineTests.images(engine, request)[0]
        let reference = try Goldens("small.goldens", in: QwenImageFixtures.root)["adapter.image"]
        #expect(peakSignalToNoise(adapted.values, reference) >= 45)
        #expect(peakSignalToNoise(plain.values, reference) < 30)
    }

    @Test func requestsThatCannotBeDoneAreRefusedFirst() async throws {
        let engine = try await Self.engine()
        func refusal(_ change: (inout ImageRequest) -> Void) async -> String {
            let request = QwenImageFixtures.request(1, steps: 1) {
                ($0.width, $0.height) = (16, 8)
                change(&$0)
            }
            do {
                _ = try await engine.generate(request, scope: RequestScope(id: "test"))
                return "accepted"
            } catch ImageModelError.invalid(let parameter, _) { return parameter } catch { return "\(error)" }
        }
        #expect(await refusal { _ in } == "accepted")
        #expect(await refusal { $0.width = 20 } == "size")
        #expect(await refusal { $0.width = 1 << 16 } == "size")
        #expect(await refusal { $0.trueGuidanceScale = .nan } == "true_cfg_scale")
    }

    @Test(arguments: [
        ("transformer/config.json", "\"zero_cond_t\": false", "\"zero_cond_t\": true", "zero_cond_t"),
        ("transformer/config.json", "\"joint_attention_dim\": 32", "\"joint_attention_dim\": 40", "do not fit together"),
        ("vae/config.json", "\"input_channels\": 3", "\"input_channels\": 4", "channels"),
        ("tokenizer/tokenizer.json", "<|im_end|>", "<|im_over|>", "no token <|im_end|>"),
        ("scheduler/scheduler_config.json", "FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler", "UniPC"),
    ]) func checkpointsThatAreNotBuiltAreRefusedAndNamed(file: String, from: String, to: String, words: String) async throws {
        let copy = try CheckpointCopy("small", in: QwenImageFixtures.root)
        try copy.replace(from, with: to, in: file)
        do {
            _ = try await Self.engine(copy.folder)
            Issue.record("loaded")
        } catch { #expect("\(error)".contains(words), "\(error)") }
    }
}
