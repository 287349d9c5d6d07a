import Logging
import OmniAPI
import OmniLlama
import Testing

@testable import OmniConversion

/// Ids that libllama gives for the lines of corpus.json with a converted tokenizer, beside Hugging Face's library.
@Suite struct TokenizerTests {
    /// A checkpoint that goes with each.
    private static let families = [
        "llama3": "llama3", "qwen2": "qwen2", "smollm": "smollm2", "tekken": "mistral", "gpt4o": "phi4-mini", "spm": "llama2",
        "spm-first": "llama2", "gemma": "gemma3", "wordpiece": "bert", "unigram": "xlmr-reranker",
    ]

    /// Lines that libllama is known to read otherwise.
    private static func isException(_ text: String, _ family: String) -> Bool {
        switch family {
        // Tokens that hold spaces are stored with spaces; a text that has their mark is none that people write.
        case "gemma": text == "\u{2581}\u{2581}a"
        // libllama drops all marks and takes no syllable of Hangul apart; BERT drops marks without a width, and does.
        case "wordpiece":
            text.unicodeScalars.contains { scalar in
                let category = scalar.properties.generalCategory
                return category == .spacingMark || category == .enclosingMark || (0xAC00...0xD7A3).contains(scalar.value)
                    || scalar == "\u{2581}"
            }
        // The converter of llama.cpp leaves the mask out. SentencePiece's table is applied to a letter and its accents as one by Hugging
        // Face, and drops a text of nothing but a control character or marks of direction.
        case "unigram":
            text.contains("<mask>") || text.unicodeScalars.count { $0 == "\u{301}" } > 1
                || text.unicodeScalars.allSatisfy { $0 == "\u{7F}" || $0 == "\u{85}" || $0 == "\u{200E}" || $0 == "\u{200F}" }
        default: false
        }
    }

    @Test("ids are those of Hugging Face's library", arguments: families.keys.sorted()) func ids(family: String) throws {
        let (keeper, path, _) = try Fixture.converted(#require(Self.families[family]), tokenizer: family)
        defer { withExtendedLifetime(keeper) {} }
        LlamaLog.start(logger: .init(label: "test"))
        let vocabulary = try #require(OmniLlama.Vocabulary(of: try LlamaModel(path: path) { _ in }))
        let golden = try Fixture.json("tokenizers/\(family)/ids.json")
        let lines = try #require(try Fixture.json("corpus.json").arrayValue), expected = try #require(golden["lines"]?.arrayValue)
        #expect(lines.count == expected.count && lines.count >= 500)
        var wrong: [String] = []
        for (line, ids) in zip(lines, expected) {
            let text = try #require(line.stringValue)
            if Self.isException(text, family) { continue }
            let found = vocabulary.tokenize(text, addSpecial: false, special: true)
            if found != ids.arrayValue?.compactMap({ $0.intValue.map { Int32($0) } }) {
                wrong.append("\(line.jsonText): \(found) instead of \(ids.jsonText)")
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count) of \(lines.count): \(wrong.prefix(40).joined(separator: "\n"))")
        for (text, ids) in zip(["", "hello world", " x\n"], try #require(golden["framed"]?.arrayValue)) {
            #expect(
                vocabulary.tokenize(text, addSpecial: true, special: true).map { Int($0) } == ids.arrayValue?.compactMap(\.intValue),
                "\(text)")
        }
    }
}
