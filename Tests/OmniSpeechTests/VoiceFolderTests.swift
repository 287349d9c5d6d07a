import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniSpeech
import Testing

@Suite("Voice folders that are wrong", .serialized, .enabled(if: StarterVoice.isThere))
struct VoiceFolderTests {
    /// A copy of the starter voice that `change` has spoiled.
    func refusal(_ change: (_ model: inout Data, _ configuration: inout Data) throws -> Void) async throws -> String? {
        let folder = "\(NSTemporaryDirectory())/omni-voice-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let source = "\(StarterVoice.folder)/en_US-joe-medium.onnx"
        var model = try Data(contentsOf: URL(fileURLWithPath: source)),
            configuration = try Data(contentsOf: URL(fileURLWithPath: source + ".json"))
        try change(&model, &configuration)
        if !model.isEmpty { try model.write(to: URL(fileURLWithPath: "\(folder)/voice.onnx")) }
        if !configuration.isEmpty { try configuration.write(to: URL(fileURLWithPath: "\(folder)/voice.onnx.json")) }
        do {
            let engine = try await SpeechEngine.load(folder: folder, logger: Logger(label: "test"))
            await engine.shutdown()
            return nil
        } catch let error as APIError {
            return error.message
        }
    }

    @Test("a model cut short")
    func truncated() async throws {
        for share in [0, 1, 100, 50_000, 63_000_000] {
            let message = try await refusal { model, _ in model = model.prefix(share) }
            #expect(message != nil, "\(share) bytes")
        }
    }

    @Test("a model that is text, zeros, or another model's bytes")
    func foreign() async throws {
        #expect(try await refusal { model, _ in model = Data("this is no model".utf8) } != nil)
        #expect(try await refusal { model, _ in model = Data(count: 100_000) } != nil)
        #expect(try await refusal { model, _ in model.replaceSubrange(200..<400, with: Data(repeating: 0xFF, count: 200)) } != nil)
    }

    @Test("a model with damage inside its graph is refused by ONNX Runtime, and the process lives")
    func damagedGraph() async throws {
        let message = try await refusal { model, _ in
            guard let place = model.range(of: Data("ConvTranspose".utf8)) else { return }
            model.replaceSubrange(place, with: Data("ConvTranspoze".utf8))
        }
        #expect(message?.contains("ONNX Runtime") == true, "\(message ?? "loaded")")
    }

    @Test("a configuration that is missing, broken, or lacks entries")
    func configuration() async throws {
        #expect(try await refusal { _, configuration in configuration = Data() } != nil)
        #expect(try await refusal { _, configuration in configuration = Data("{".utf8) } != nil)
        #expect(
            try await refusal { _, configuration in configuration = Data(#"{"audio":{"sample_rate":22050}}"#.utf8) }?.contains(
                "phoneme_id_map") == true)
        #expect(
            try await refusal { _, configuration in
                configuration = Data(String(decoding: configuration, as: UTF8.self).replacing("\"en-us\"", with: "\"xx-yy\"").utf8)
            }?.contains("xx-yy") == true)
    }

    @Test("folders that are empty or not there")
    func missing() async throws {
        await #expect { try await SpeechEngine.load(folder: "/nowhere/at/all", logger: Logger(label: "test")) } throws: {
            ($0 as? APIError)?.status == 404
        }
        #expect(try await refusal { model, configuration in (model, configuration) = (Data(), Data()) }?.contains("piper") == true)
    }

    @Test("flipped bytes never end the process")
    func fuzz() async throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<6 {
            _ = try await refusal { model, _ in
                for _ in 0..<3 { model[Int.random(in: 0..<3000, using: &generator)] = UInt8.random(in: 0...255, using: &generator) }
            }
        }
    }
}
