import Foundation
import OmniAPI
import OmniEngine
import Testing

@testable import OmniDiffusion

/// The engine with a FLUX.2 klein checkpoint, as a worker uses it.
@Suite struct Flux2KleinEngineTests {
    static func engine(_ folder: String = "\(Flux2KleinFixtures.root)/small") async throws -> DiffusionEngine {
        var options = DiffusionOptions()
        (options.threads, options.useGPU) = (2, false)
        return try await DiffusionEngine.load(.folder(folder), options: options)
    }

    @Test func defaultsAreThePipelines() async throws {
        let limits = ReferenceLimits(count: 4, pixels: 1024 * 1024, shortestSide: 64, aspectRatio: 8)
        let distilled = try await Self.engine()
        #expect(
            distilled.imageDefaults
                == ImageDefaults(
                    width: 512, height: 512, steps: 4, guidanceScale: 1, strength: 1, multiple: 8, references: limits,
                    takesGuidance: false))
        #expect(distilled.card.kind == .image && distilled.card.details["pipeline"]?.stringValue == "Flux2KleinPipeline")
        let base = try await Self.engine("\(Flux2KleinFixtures.root)/other")
        #expect(
            base.imageDefaults
                == ImageDefaults(
                    width: 1024, height: 1024, steps: 50, guidanceScale: 4, strength: 1, multiple: 16, references: limits))
    }

    /// Named as PEFT names them, and as the publisher's own code, where queries, keys and values are one matrix.
    @Test(arguments: [("adapter", 52), ("adapter-own", 53)] as [(String, UInt64)])
    func adaptersChangeThePictureAsInTheReference(name: String, seed: UInt64) async throws {
        let engine = try await Self.engine()
        var request = Flux2KleinFixtures.request(seed, steps: 4) { ($0.width, $0.height) = (40, 24) }
        let plain = try await EngineTests.images(engine, request)[0]
        request.adapters = [ImageAdapter(path: "\(Flux2KleinFixtures.root)/\(name).safetensors", scale: 0.8)]
        let adapted = try await EngineTests.images(engine, request)[0]
        let reference = try Goldens("small.goldens", in: Flux2KleinFixtures.root)["\(name).image"]
        let distance = peakSignalToNoise(adapted.values, reference)
        #expect(distance >= 45, "PSNR \(distance)")
        #expect(peakSignalToNoise(plain.values, reference) < 30)
    }

    @Test func requestsThatCannotBeDoneAreRefusedFirst() async throws {
        let engine = try await Self.engine()
        func image(_ width: Int, _ height: Int) throws -> FloatImage {
            try #require(FloatImage(width: width, height: height, values: [Float](repeating: 0.5, count: width * height * 3)))
        }
        func refusal(_ change: (inout ImageRequest) throws -> Void) async throws -> String {
            let request = try Flux2KleinFixtures.request(1, steps: 1) {
                ($0.width, $0.height) = (16, 8)
                try change(&$0)
            }
            do {
                _ = try await engine.generate(request, scope: RequestScope(id: "test"))
                return "accepted"
            } catch ImageModelError.invalid(let parameter, _) { return parameter } catch { return "\(error)" }
        }
        #expect(try await refusal { $0.references = try (0..<4).map { _ in try image(64, 72) } } == "accepted")
        #expect(try await refusal { $0.width = 20 } == "size")
        #expect(try await refusal { $0.references = try (0..<5).map { _ in try image(64, 64) } } == "image")
        // The picture to start from is one of them.
        #expect(
            try await refusal { ($0.references, $0.input) = (try (0..<4).map { _ in try image(64, 64) }, try image(16, 8)) } == "image")
        #expect(try await refusal { $0.references = [try image(68, 64)] } == "image")
        #expect(
            try await refusal {
                $0.references = [try image(64, 64)]; $0.references[0].values[7] = .nan
            } == "image")
        #expect(try await refusal { $0.mask = try image(16, 8) } == "mask")
    }

    @Test(arguments: [
        ("transformer/config.json", "\"guidance_embeds\": false", "\"guidance_embeds\": true", "guidance_embeds"),
        ("transformer/config.json", "\"joint_attention_dim\": 96", "\"joint_attention_dim\": 64", "do not fit together"),
        ("transformer/config.json", "\"patch_size\": 1", "\"patch_size\": 2", "patches of 2"),
        ("text_encoder/config.json", "\"num_hidden_layers\": 28", "\"num_hidden_layers\": 26", "after layer 27"),
        ("vae/config.json", "\"latent_channels\": 8", "\"latent_channels\": 4", "do not fit together"),
        ("tokenizer/tokenizer.json", "<|endoftext|>", "<|end|>", "<|endoftext|>"),
        ("scheduler/scheduler_config.json", "FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler", "UniPC"),
        ("model_index.json", "Flux2KleinPipeline", "Flux2Pipeline", "Flux2Pipeline"),
    ]) func checkpointsThatAreNotBuiltAreRefusedAndNamed(file: String, from: String, to: String, words: String) async throws {
        let copy = try CheckpointCopy("small", in: Flux2KleinFixtures.root)
        try copy.replace(from, with: to, in: file)
        do {
            _ = try await Self.engine(copy.folder)
            Issue.record("loaded")
        } catch { #expect("\(error)".contains(words), "\(error)") }
    }
}
