import Foundation
import OmniEngine
import Testing

@testable import OmniDiffusion
@testable import OmniTensor

/// Other element types than f32, and weights that are no good.
@Suite struct WeightKindTests {
    static func text(_ family: ZImageFamily, _ backend: Backend) throws -> (steps: [[Float]], image: [Float]) {
        var request = PictureParityTests.request(42, steps: 4)
        (request.width, request.height) = (40, 24)
        let (steps, images) = try PictureParityTests.run(family, backend, request)
        return (steps, images[0].values)
    }

    @Test func bf16WeightsStayNearTheReference() throws {
        let copy = try CheckpointCopy("small")
        try copy.roundToBF16()
        let (family, backend) = try Fixtures.family(folder: copy.folder)
        let goldens = try Goldens("small.goldens")
        let (steps, image) = try Self.text(family, backend)
        let reference = try goldens["text.steps"]
        let size = reference.count / steps.count
        for (index, latents) in steps.enumerated() {
            let error = relativeError(latents, Array(reference[index * size..<(index + 1) * size]))
            #expect(error < 3e-2, "step \(index + 1)")
        }
        let distance = peakSignalToNoise(image, try goldens["text.image"])
        #expect(distance >= 30, "PSNR \(distance)")
    }

    @Test(arguments: [ElementType.q8_0, .q4_0]) func quantizedWeightsDrawNearly(type: ElementType) throws {
        var options = DiffusionOptions()
        options.quantization = ["transformer": type, "text_encoder": type]
        let (family, backend) = try Fixtures.family("small", options: options)
        let distance = peakSignalToNoise(try Self.text(family, backend).image, try Goldens("small.goldens")["text.image"])
        #expect(distance >= (type == .q8_0 ? 25 : 12), "PSNR \(distance)")
    }

    @Test func fastAttentionStaysNearTheReference() throws {
        var options = DiffusionOptions()
        options.rounding = .fast
        let (family, backend) = try Fixtures.family("small", options: options)
        let distance = peakSignalToNoise(try Self.text(family, backend).image, try Goldens("small.goldens")["text.image"])
        #expect(distance >= 30, "PSNR \(distance)")
    }

    /// What loading the spoilt copy says.
    static func complaint(_ spoil: (CheckpointCopy) throws -> Void) async throws -> String {
        let copy = try CheckpointCopy("small")
        try spoil(copy)
        do {
            _ = try await DiffusionEngine.load(.folder(copy.folder))
            return "loaded"
        } catch { return "\(error)" }
    }

    @Test func spoiltCheckpointsAreRefusedAndNamed() async throws {
        let torn = try await Self.complaint { copy in
            let path = try copy.files("transformer")[1]
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            try data.dropLast(100).write(to: URL(fileURLWithPath: path))
        }
        #expect(torn.contains("00002-of-00004.safetensors") && torn.contains("cut short"))
        let missing = try await Self.complaint { copy in try copy.rewrite("vae") { $0["decoder.conv_out.bias"] = nil } }
        #expect(missing.contains("decoder.conv_out.bias") && missing.contains("missing"))
        let type = try await Self.complaint { copy in
            try copy.rewrite("vae") { tensors in tensors["decoder.conv_out.bias"]?.type = "I32" }
        }
        #expect(type.contains("decoder.conv_out.bias") && type.contains("i32"))
        let shape = try await Self.complaint { copy in
            try copy.rewrite("text_encoder") { $0["model.layers.0.mlp.up_proj.weight"]?.shape.reverse() }
        }
        #expect(shape.contains("model.layers.0.mlp.up_proj.weight") && shape.contains("should be"))
        let shard = try await Self.complaint { copy in try FileManager.default.removeItem(atPath: copy.files("transformer")[0]) }
        #expect(shard.contains("00001-of-00004.safetensors"))
        let config = try await Self.complaint { copy in try FileManager.default.removeItem(atPath: copy.folder + "/vae/config.json") }
        #expect(config.contains("vae/config.json: is missing"))
        let pipeline = try await Self.complaint { copy in
            try Data("{\"_class_name\": \"OtherPipeline\"}".utf8).write(to: URL(fileURLWithPath: copy.folder + "/model_index.json"))
        }
        #expect(pipeline.contains("OtherPipeline is not supported"))
    }

    @Test(arguments: [
        ("transformer", "layers.1.feed_forward.w2.weight"), ("text_encoder", "model.layers.0.mlp.up_proj.weight"),
        ("vae", "decoder.conv_in.weight"),
    ])
    func weightsThatAreNoNumbersAreNamed(component: String, tensor: String) async throws {
        let copy = try CheckpointCopy("small")
        try copy.rewrite(component) { tensors in
            tensors[tensor]?.bytes.replaceSubrange(0..<4, with: [0, 0, 0xc0, 0x7f])
        }
        let engine = try await DiffusionEngine.load(.folder(copy.folder))
        do {
            _ = try await EngineTests.images(engine, EngineTests.request())
            Issue.record("drew with weights that are no numbers")
        } catch ImageModelError.notFinite(_, let cause) {
            #expect(cause.contains(tensor))
        }
    }
}
