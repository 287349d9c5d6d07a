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
        let goldens = try JSONDecoder().decode(
            Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: "\(Self.fixtures)/\(name).tokens.json")))
        let tokenizer = try Tokenizer(path: "\(Self.fixtures)/\(name)/tokenizer/tokenizer.json")
        let chat = try ChatML(tokenizer: "\(Self.fixtures)/\(name)/tokenizer")
        for (index, text) in goldens.texts.enumerated() {
            #expect(tokenizer.encode(text) == goldens.ids[index], "\(text.debugDescription)")
            #expect(chat.prompt(text) == goldens.prompts[index])
            #expect(chat.prompt(text, system: "be brief") == "<|im_start|>system\nbe brief<|im_end|>\n" + goldens.prompts[index])
            #expect(chat.prompt(text, thinks: false) == goldens.prompts[index] + "<think>\n\n</think>\n\n")
            #expect(tokenizer.encode(chat.prompt(text)) == goldens.prompt_ids[index])
        }
        #expect(Array(tokenizer.encode(String(repeating: "fox ", count: 900)).prefix(512)) == goldens.long)
    }

    /// The same tokenizer as `vocab.json`, `merges.txt` and `tokenizer_config.json`.
    static func parted(_ name: String, className: String = "Qwen2Tokenizer") throws -> String {
        struct Parts: Decodable {
            struct Model: Decodable {
                let vocab: [String: Int]
                let merges: [[String]]
            }
            struct Added: Codable {
                let id: Int
                let content: String
                let normalized, special: Bool
            }
            let model: Model
            let added_tokens: [Added]
        }
        let parts = try JSONDecoder().decode(
            Parts.self, from: Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/\(name)/tokenizer/tokenizer.json")))
        let folder = NSTemporaryDirectory() + "tokenizer-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func write(_ name: String, _ data: Data) throws { try data.write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
        try write("vocab.json", JSONEncoder().encode(parts.model.vocab))
        try write("merges.txt", Data(("#version: 0.2\n" + parts.model.merges.map { $0.joined(separator: " ") + "\n" }.joined()).utf8))
        let added = Dictionary(uniqueKeysWithValues: parts.added_tokens.map { ("\($0.id)", $0) })
        let decoder = String(decoding: try JSONEncoder().encode(added), as: UTF8.self)
        try write("tokenizer_config.json", Data("{\"tokenizer_class\": \"\(className)\", \"added_tokens_decoder\": \(decoder)}".utf8))
        return folder
    }

    @Test(arguments: ["small", "other"]) func aVocabularyAndMergesAreTheSameTokenizer(name: String) throws {
        let folder = try Self.parted(name)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let goldens = try JSONDecoder().decode(
            Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: "\(Self.fixtures)/\(name).tokens.json")))
        let tokenizer = try Tokenizer(folder: folder)
        for (index, text) in goldens.texts.enumerated() {
            #expect(tokenizer.encode(text) == goldens.ids[index], "\(text.debugDescription)")
        }
        // A tokenizer.json goes before.
        let whole = try Tokenizer(folder: "\(Self.fixtures)/\(name)/tokenizer")
        #expect(whole.encode(goldens.texts[0]) == goldens.ids[0])
    }

    @Test func brokenVocabulariesAreNamed() throws {
        func complaint(_ spoil: (String) throws -> Void, className: String = "Qwen2Tokenizer") throws -> String {
            let folder = try Self.parted("small", className: className)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try spoil(folder)
            do {
                _ = try Tokenizer(folder: folder)
                return "read"
            } catch { return "\(error)" }
        }
        #expect(try complaint({ _ in }, className: "GPT2Tokenizer").contains("GPT2Tokenizer"))
        #expect(try complaint { try FileManager.default.removeItem(atPath: "\($0)/merges.txt") }.contains("merges.txt"))
        #expect(try complaint { try Data("a b c\n".utf8).write(to: URL(fileURLWithPath: "\($0)/merges.txt")) }.contains("is no pair"))
        #expect(try complaint { try Data("a %\n".utf8).write(to: URL(fileURLWithPath: "\($0)/merges.txt")) }.contains("no id"))
        #expect(try complaint { try Data("[1]".utf8).write(to: URL(fileURLWithPath: "\($0)/vocab.json")) }.contains("vocab.json"))
        #expect(try complaint { try FileManager.default.removeItem(atPath: "\($0)/vocab.json") }.contains("tokenizer.json"))
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
