import Foundation
import Logging
import OmniAPI
import Testing

@testable import OmniSpeech

/// Sizes that a voice's files claim are multiplied: absurd ones are refused and end no process.
@Suite("Voices with absurd sizes")
struct VoiceSizeTests {
    /// Sides whose product passes 64 bits, or comes out as 0 there.
    static let absurdSizes: [[Int]] = [
        [0x100_0000, 0x100_0000, 0x2000, 1, 1, 1], [0x100_0000, 0x100_0000, 0x4000, 1, 1, 1], [1, 1, 1, 0x20_0000, 0x20_0000, 0x10_0000],
    ]

    private func copy(of name: String) throws -> String {
        let source = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil)).path
        let folder = "\(NSTemporaryDirectory())/omni-voice-test-\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: source, toPath: folder)
        return folder
    }

    private func refusal(of folder: String) -> String? {
        do {
            _ = try PreparedVoice(VoiceFolder(path: folder), scratch: folder + "/scratch")
            return nil
        } catch { return (error as? APIError)?.message ?? "\(error)" }
    }

    @Test(
        "styles of a Kitten voice",
        arguments: ["9223372036854775807,2", "4611686018427387904,4", "2147483648,4294967296", "1,9223372036854775807"])
    func styles(sizes: String) throws {
        let folder = try copy(of: "kitten")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(refusal(of: folder) == nil)
        let model = try ONNXFile(path: "\(folder)/model.onnx")
        // Of two entries with one key the last counts.
        try model.writeCopy(to: "\(folder)/other.onnx", adding: [("style_dim", sizes)])
        try FileManager.default.removeItem(atPath: "\(folder)/model.onnx")
        try FileManager.default.moveItem(atPath: "\(folder)/other.onnx", toPath: "\(folder)/model.onnx")
        #expect(refusal(of: folder)?.contains("voices.bin cannot be used") == true)
    }

    @Test("the style of a Supertonic voice", arguments: absurdSizes)
    func style(sizes: [Int]) throws {
        let folder = try copy(of: "supertonic")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(refusal(of: folder) == nil)
        try Data(sizes.flatMap { size in withUnsafeBytes(of: Int64(size).littleEndian) { Array($0) } }).write(
            to: URL(filePath: "\(folder)/voice.bin"))
        #expect(refusal(of: folder)?.contains("its sizes") == true)
    }
}
