import Foundation
import Testing

@testable import OmniTokenizer

/// Goldens: Tools/goldens/wan.py, transformers 5.23.0.
@Suite struct UnigramTests {
    struct Goldens: Decodable {
        let texts: [String]
        let ids: [[Int]]
        let long: [Int]
    }

    static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/wan"

    /// With SentencePiece's own normalization and pieces for bytes; and with NFKC and without.
    @Test(arguments: ["t2v", "ti2v"]) func idsEqualTheReference(name: String) throws {
        let goldens = try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: "\(Self.fixtures)/\(name).tokens.json")))
        let tokenizer = try Tokenizer(path: "\(Self.fixtures)/\(name)/tokenizer/tokenizer.json")
        for (index, text) in goldens.texts.enumerated() {
            #expect(tokenizer.encode(text, limit: 512) == goldens.ids[index], "\(text.debugDescription)")
        }
        #expect(tokenizer.encode(String(repeating: "fox hill ", count: 400), limit: 512) == goldens.long)
    }

    @Test func aLongWordTakesNoSquareTime() throws {
        let tokenizer = try Tokenizer(path: "\(Self.fixtures)/t2v/tokenizer/tokenizer.json")
        #expect(tokenizer.encode(String(repeating: "fox", count: 20_000)).count >= 20_000)
    }

    @Test func equalPiecesCountByTheLast() {
        let table = PieceTable([[1], [1, 2], [1], []])
        var found: [[Int]] = []
        table.prefixes(of: [1, 2, 3], from: 0) { found.append([$0, $1]) }
        #expect(found == [[1, 2], [2, 1]])
        #expect(table.id(of: [2]) == nil)
    }

    @Test(arguments: ["AAAA", "!!", "/////w=="]) func brokenTablesAreRefused(table: String) {
        #expect(throws: TokenizerError.self) { try PrecompiledNormalizer(base64: table) }
    }
}
