import Foundation
import Testing

@testable import OmniTokenizer

/// Goldens: Tools/goldens/zimage.py, transformers 5.23.0.
@Suite struct TokenizerTests {
    struct Goldens: Decodable {
        let texts: [String]
        let ids: [[Int]]
        let prompts: [String]
        let prompt_ids: [[Int]]
        let long: [Int]
    }

    static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/zimage"

    @Test(arguments: ["small", "other"]) func idsEqualTheReference(name: String) throws {
        let goldens = try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: "\(Self.fixtures)/\(name).tokens.json")))
        let tokenizer = try Tokenizer(path: "\(Self.fixtures)/\(name)/tokenizer/tokenizer.json")
        let chat = try ChatML(tokenizer: "\(Self.fixtures)/\(name)/tokenizer")
        for (index, text) in goldens.texts.enumerated() {
            #expect(tokenizer.encode(text) == goldens.ids[index], "\(text.debugDescription)")
            #expect(chat.prompt(text) == goldens.prompts[index])
            #expect(tokenizer.encode(chat.prompt(text)) == goldens.prompt_ids[index])
        }
        #expect(Array(tokenizer.encode(String(repeating: "fox ", count: 900)).prefix(512)) == goldens.long)
    }

    @Test func aLongWordTakesNoSquareTime() throws {
        let tokenizer = try Tokenizer(path: "\(Self.fixtures)/small/tokenizer/tokenizer.json")
        #expect(tokenizer.encode(String(repeating: "the", count: 40_000)).count >= 40_000)
    }

    @Test func brokenFilesAreNamed() throws {
        let path = NSTemporaryDirectory() + "tokenizer-\(UUID().uuidString).json"
        try Data("{\"model\": 3}".utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(path: path) }
        #expect(error?.path == path)
        #expect(throws: TokenizerError.self) { try Tokenizer(path: path + ".missing") }
    }
}
