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
        let goldens = try JSONDecoder().decode(
            Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: "\(Self.fixtures)/\(name).tokens.json")))
        let tokenizer = try Tokenizer(path: "\(Self.fixtures)/\(name)/tokenizer/tokenizer.json")
        for (index, text) in goldens.texts.enumerated() {
            #expect(tokenizer.encode(text, limit: 512) == goldens.ids[index], "\(text.debugDescription)")
        }
        #expect(tokenizer.encode(String(repeating: "fox hill ", count: 400), limit: 512) == goldens.long)
    }

    /// What tokenizers 0.23.3 gives for parts that the fixtures do not have: how words are marked, and normalizers.
    @Test(arguments: [
        ("null", metaspace("always"), [[4, 5, 9, 4, 4, 3], [4, 1, 5], [1, 0, 1, 8], [1, 0, 9, 5]]),
        ("null", metaspace("first"), [[4, 5, 9, 2, 4, 3], [4, 1, 5], [1, 0, 1, 8], [1, 0, 9, 5]]),
        ("null", metaspace("never"), [[2, 5, 9, 2, 4, 3], [4, 1, 5], [0, 1, 8], [0, 9, 5]]),
        ("null", metaspace("always", splits: false), [[7, 9, 4, 4, 3], [4, 1, 5], [1, 0, 1, 8], [1, 0, 9, 5]]),
        (#"{"type": "Lowercase"}"#, metaspace("always"), [[4, 5, 9, 4, 4, 3], [4, 1, 5], [4, 3, 1, 8], [1, 0, 9, 5]]),
        (
            #"{"type": "Prepend", "prepend": "b"}"#, metaspace("never"),
            [[3, 2, 5, 9, 3, 2, 4, 3], [3, 4, 1, 5], [3, 0, 1, 8], [3, 0, 9, 3, 5]]
        ),
        (
            #"{"type": "Replace", "pattern": {"String": "x"}, "content": "a"}"#, metaspace("always"),
            [[4, 5, 9, 4, 4, 3], [4, 1, 5], [1, 0, 4], [1, 0, 9, 5]]
        ),
        (#"{"type": "NFKD"}"#, metaspace("always"), [[4, 5, 9, 4, 4, 3], [4, 1, 5], [1, 0, 1, 8], [4, 9, 5]]),
        (
            #"{"type": "Strip", "strip_left": true, "strip_right": true}"#, metaspace("never"),
            [[2, 5, 9, 2, 4, 3], [2, 1, 5], [0, 1, 8], [0, 9, 3]]
        ),
        (
            "null", #"{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, \#(metaspace("first"))]}"#,
            [[4, 3, 9, 2, 6], [2, 3], [1, 0, 8], [1, 0, 9, 3]]
        ),
        ("null", #"{"type": "WhitespaceSplit"}"#, [[2, 3, 9, 2, 6], [2, 3], [0, 8], [0, 9, 3]]),
    ])
    func marksAndNormalizersAreTheReferences(normalizer: String, words: String, ids: [[Int]]) throws {
        let file = """
            {"added_tokens": [{"id": 9, "content": "<s>", "normalized": false, "special": true}], "normalizer": \(normalizer), "pre_tokenizer": \(words),
             "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["▁", -3], ["a", -2], ["b", -2.5], ["▁a", -1.5], ["▁b", -1.6],
              ["ab", -2.2], ["▁a▁b", -1], ["x", -4]]}}
            """
        let tokenizer = try Tokenizer(file: JSONDecoder().decode(TokenizerFile.self, from: Data(file.utf8)))
        #expect(["a b<s>a ab", " a  b", "AB x", "ａ<s> b"].map { tokenizer.encode($0) } == ids)
    }

    static func metaspace(_ scheme: String, splits: Bool = true) -> String {
        #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "\#(scheme)", "split": \#(splits)}"#
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
