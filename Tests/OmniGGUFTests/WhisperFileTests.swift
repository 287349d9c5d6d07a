import Foundation
import OmniTestSupport
import Testing

@testable import OmniGGUF

@Suite struct WhisperFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func url(_ bytes: Data) throws -> URL {
        try folder.write("ggml-test.bin", bytes)
        return folder.url.appending(path: "ggml-test.bin")
    }

    @Test func sizes() throws {
        for (vocabulary, audio, text, bands, size) in [
            (51_865, 4, 4, 80, "tiny"), (51_864, 6, 6, 80, "base.en"), (51_866, 32, 32, 128, "large-v3"),
            (51_866, 32, 4, 128, "large-v3-turbo"), (51_865, 12, 12, 80, "small"),
        ] {
            let file = try #require(
                try WhisperFile(url: url(whisperFile(vocabulary: vocabulary, audioLayers: audio, textLayers: text, bands: bands))))
            #expect(file.size == size && file.isMultilingual == (vocabulary > 51_864))
        }
    }

    @Test func otherFilesAreNone() throws {
        #expect(try WhisperFile(url: url(Data("GGUF and more of it, enough to be read as a header".utf8))) == nil)
        #expect(try WhisperFile(url: url(Data([0x6C, 0x6D, 0x67, 0x67]))) == nil)
        // The VAD: the same four bytes, then a name.
        var detector = Data([0x6C, 0x6D, 0x67, 0x67, 10, 0, 0, 0])
        detector.append(Data("silero-16k".utf8))
        detector.append(Data(count: 64))
        #expect(try WhisperFile(url: url(detector)) == nil)
    }

    @Test func aWholeFileIsWhole() throws { try WhisperFile.check(url(whisperFile())) }

    @Test("a file that was cut anywhere is not whole") func cut() throws {
        let whole = whisperFile()
        for length in stride(from: 52, to: whole.count, by: 97) {
            let cut = try url(whole.prefix(length))
            #expect(throws: GGUFError.self, "\(length) of \(whole.count)") { try WhisperFile.check(cut) }
        }
    }

    @Test("a length that lies is found") func lies() throws {
        let lies: [(place: Int, value: Int32)] = [(48, .max), (56 + 4 * 8, -1), (56 + 4 * 8, .max)]
        for lie in lies {
            var bytes = whisperFile()
            withUnsafeBytes(of: lie.value.littleEndian) { bytes.replaceSubrange(lie.place..<lie.place + 4, with: $0) }
            let file = try url(bytes)
            #expect(throws: GGUFError.self, "\(lie)") { try WhisperFile.check(file) }
        }
    }
}
