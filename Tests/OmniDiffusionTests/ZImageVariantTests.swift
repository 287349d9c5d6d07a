import Foundation
import OmniEngine
import Testing

@testable import OmniDiffusion

/// Defaults follow what a checkpoint is, not where it lies.
@Suite struct ZImageVariantTests {
    private func scheduler(_ json: String) throws -> FlowMatchEuler.Config {
        try JSONDecoder().decode(FlowMatchEuler.Config.self, from: Data(json.utf8))
    }

    /// The schedulers as published with Z-Image-Turbo and Z-Image.
    @Test(
        arguments: [
            (#"{"num_train_timesteps":1000,"use_dynamic_shifting":false,"shift":3.0}"#, nil, ZImageVariant.turbo),
            (#"{"num_train_timesteps":1000,"use_dynamic_shifting":false,"shift":6.0}"#, nil, .base),
            (#"{"use_dynamic_shifting":true,"shift":3.0}"#, nil, .base), ("{}", nil, .base),
            (#"{"shift":6.0}"#, "Tongyi-MAI/Z-Image-Turbo", .turbo), (#"{"shift":3.0}"#, "/models/turbo/Z-Image", .base),
            (#"{"shift":3.0}"#, "my-drawings", .turbo),
        ] as [(String, String?, ZImageVariant)])
    func kinds(json: String, name: String?, variant: ZImageVariant) throws {
        #expect(ZImageVariant(name: name, scheduler: try scheduler(json)) == variant)
    }

    @Test("a folder's name changes nothing", arguments: [(3.0, "z-image-base", 8, Float(0)), (6.0, "turbo", 50, 5)])
    func folders(shift: Double, name: String, steps: Int, guidance: Float) async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "variant-\(UUID().uuidString)"),
            folder = root.appending(path: name)
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: root) }
        try FileManager.default.copyItem(atPath: "\(Fixtures.root)/small", toPath: folder.path)
        let config = folder.appending(path: "scheduler/scheduler_config.json")
        try String(contentsOf: config, encoding: .utf8).replacing("\"shift\": 3.0", with: "\"shift\": \(shift)").write(
            to: config, atomically: true, encoding: .utf8)
        var options = DiffusionOptions()
        (options.threads, options.useGPU) = (2, false)
        let engine = try await DiffusionEngine.load(.folder(folder.path), options: options)
        #expect(engine.imageDefaults.steps == steps && engine.imageDefaults.guidanceScale == guidance)
        await engine.shutdown()
    }
}
