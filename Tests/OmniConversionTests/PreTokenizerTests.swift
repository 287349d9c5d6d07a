import Foundation
import OmniAPI
import OmniTestSupport
import Testing

@testable import OmniConversion

/// Tokenizers that would be followed only nearly are refused.
@Suite struct PreTokenizerTests {
    private func error(_ checkpoint: String, _ change: (inout JSONObject) throws -> Void) throws -> ConversionError {
        let (folder, _) = try Fixture.checkpoint(checkpoint)
        let url = folder.url.appending(path: "tokenizer.json")
        var object = try #require(try JSONValue.parse(Data(contentsOf: url)).objectValue)
        try change(&object)
        try folder.write("tokenizer.json", JSONValue.object(object).jsonText)
        return try #require(throws: ConversionError.self) { try ConversionPlan(Checkpoint(folder: folder.url.path)) }
    }

    private func model(_ object: inout JSONObject, _ change: (inout JSONObject) -> Void) throws {
        var model = try #require(object["model"]?.objectValue)
        change(&model)
        object["model"] = .object(model)
    }

    @Test("other words, other normalizers, other flags") func unknownRules() throws {
        let errors = [
            try error("qwen2") { $0["pre_tokenizer"] = ["type": "Whitespace"] },
            try error("qwen2") {
                $0["pre_tokenizer"] = ["type": "Split", "pattern": ["Regex": #"\w+"#], "behavior": "Isolated", "invert": false]
            },
            try error("qwen2") { $0["normalizer"] = ["type": "NFKC"] },
            try error("qwen2") { object in try model(&object) { $0["ignore_merges"] = true } },
            try error("smollm2") { $0["normalizer"] = ["type": "Lowercase"] },
            try error("smollm2") { object in try model(&object) { $0["end_of_word_suffix"] = "</w>" } },
            try error("llama2") { $0["normalizer"] = ["type": "NFKC"] },
            try error("llama2") {
                $0["pre_tokenizer"] = ["type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": false]
            },
            try error("bert") { $0["normalizer"] = ["type": "BertNormalizer", "lowercase": false, "strip_accents": true] },
            try error("bert") { object in try model(&object) { $0["continuing_subword_prefix"] = "@@" } },
            try error("bert") { object in try model(&object) { $0["type"] = "WordLevel" } },
            try error("qwen2") { $0["post_processor"] = ["type": "RobertaProcessing"] },
        ]
        for error in errors { #expect(error.fault == .unsupported && error.path.hasSuffix("tokenizer.json"), "\(error)") }
    }

    @Test("merges that libllama would add, or rank in another way") func merges() throws {
        let short = try error("llama2") { object in
            try model(&object) { $0["merges"] = .array(Array(($0["merges"]?.arrayValue ?? []).dropLast())) }
        }
        #expect(short.fault == .unsupported && short.problem.contains("join more"))
        let turned = try error("llama2") { object in
            try model(&object) { $0["merges"] = .array(($0["merges"]?.arrayValue ?? []).reversed()) }
        }
        #expect(turned.fault == .unsupported && turned.problem.contains("order"))
    }

    @Test("added tokens that want white space or whole words") func added() throws {
        for flag in ["lstrip", "rstrip", "single_word"] {
            let error = try error("qwen2") { object in
                var tokens = try #require(object["added_tokens"]?.arrayValue)
                var first = try #require(tokens[0].objectValue)
                first[flag] = true
                tokens[0] = .object(first)
                object["added_tokens"] = .array(tokens)
            }
            #expect(error.fault == .unsupported, "\(flag)")
        }
    }

    @Test("a token for pictures in a text model of Gemma, which has no row, is left out") func beyondTheRows() throws {
        let (folder, _) = try Fixture.checkpoint("gemma3")
        let url = folder.url.appending(path: "tokenizer.json")
        var object = try #require(try JSONValue.parse(Data(contentsOf: url)).objectValue)
        let tokens = try #require(object["added_tokens"]?.arrayValue)
        object["added_tokens"] = .array(tokens + [["id": 584, "content": "<image_soft_token>", "special": true, "normalized": false]])
        try folder.write("tokenizer.json", JSONValue.object(object).jsonText)
        guard case .strings(let texts)? = try ConversionPlan(Checkpoint(folder: folder.url.path)).metadata["tokenizer.ggml.tokens"] else {
            Issue.record("no tokens")
            return
        }
        #expect(texts.count == 584 && !texts.contains("<image_soft_token>"))
    }

    @Test("texts that only Unicode holds for equal are two tokens") func canonicalEquivalence() throws {
        let text = #"{"caf\u00e9": 1, "cafe\u0301": 2}"#
        let object = try #require(try JSONValue.parse(text).objectValue)
        #expect(object.members.map(\.value) == [1, 2])
        #expect(ExactText("\u{e9}") != ExactText("e\u{301}"))
    }
}
