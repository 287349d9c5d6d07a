import Foundation
import OmniTestSupport
import Testing

@testable import OmniGGUF

/// Damaged headers end in an error or in a header, never in a trap. The originals are headers as llama.cpp's converters write them.
@Suite struct GGUFFuzzTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "Fixtures")
    /// The files, and where their headers end.
    private static let originals = ["speech/pocket-tts/pocket-tts.gguf", "text/tiny-embed.gguf", "text/tiny-mmproj.gguf", "text/tiny.gguf"]
    /// Longer than the headers of all originals.
    private static let headerBytes = 8 << 10

    private static func start(of name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: fixtures.appending(path: name)).prefix(headerBytes))
    }

    @Test("headers with faults", arguments: originals) func damagedHeaders(name: String) throws {
        let whole = try Self.start(of: name)
        _ = try GGUFHeader(bytes: whole)
        var (random, readable) = (SeededGenerator(seed: 15), 0)
        let cases = TestScale.cases(2_500, full: 250_000)
        for _ in 0..<cases {
            guard let header = try? GGUFHeader(bytes: whole.damaged(in: 4..<whole.count, using: &random)) else { continue }
            readable += 1
            _ = (header.architecture, header.isEmbedding, header.isCutShort, header.splitCount, header.contextLength, header.isProjector)
        }
        // Faults in texts and weights leave a header readable; most others don't.
        #expect(readable > 0 && readable < cases)
    }

    @Test("the same through a file, whose bytes come in pieces") func damagedFiles() throws {
        let folder = try TemporaryFolder()
        let whole = try Self.start(of: "text/tiny.gguf")
        var random = SeededGenerator(seed: 16)
        for _ in 0..<TestScale.cases(200, full: 20_000) {
            let bytes = whole.damaged(in: 4..<whole.count, using: &random)
            let file = try folder.write("m.gguf", Data(bytes))
            let fromFile = Result { try GGUFHeader(readingFrom: file, chunk: 64) }, fromMemory = Result { try GGUFHeader(bytes: bytes) }
            #expect((try? fromFile.get().metadata.keys) == (try? fromMemory.get().metadata.keys))
            #expect((try? fromFile.get().expectedSize) == (try? fromMemory.get().expectedSize))
        }
    }
}
