import Foundation
import OmniAPI
import OmniTestSupport
import Testing

@testable import OmniSpeech

/// Damaged ONNX files are refused or read, and rewritten when they are; nothing traps. ONNX Runtime never sees them.
@Suite("Damaged ONNX files")
struct ONNXFuzzTests {
    @Test("each of the tiny voices' models", arguments: ["kitten/model", "matcha/hifigan_v2", "supertonic/vocoder"])
    func damaged(name: String) throws {
        let source = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "onnx"))
        let whole = [UInt8](try Data(contentsOf: source))
        let path = "\(NSTemporaryDirectory())/omni-onnx-\(UUID().uuidString)"
        defer { for file in [path, path + ".copy"] { try? FileManager.default.removeItem(atPath: file) } }
        var random = SeededGenerator(seed: 7)
        for _ in 0..<TestScale.cases(300, full: 30_000) {
            try Data(whole.damaged(in: 0..<whole.count, using: &random)).write(to: URL(filePath: path))
            do {
                let file = try ONNXFile(path: path)
                try file.writeCopy(to: path + ".copy", adding: [("key", "text")], upsampling: true)
                #expect(try ONNXFile(path: path + ".copy").metadata["key"] == "text")
            } catch is APIError {} catch is ProtobufReader.Malformed {}
        }
    }
}
