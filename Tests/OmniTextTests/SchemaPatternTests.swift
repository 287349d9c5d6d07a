import OmniAPI
import OmniAnswerSchema
import OmniLlama
import Testing

@testable import OmniText

@Suite("Patterns as grammars", .enabled(if: TestModel.isHere), .timeLimit(.minutes(10)))
struct SchemaPatternTests {
    /// Whether a model under a schema of this pattern could answer with exactly this string.
    private func allows(_ text: String, pattern: String, vocabulary: Vocabulary) throws -> Bool {
        let format = ResponseFormat.jsonSchema(name: "x", schema: JSONObject([("type", "string"), ("pattern", .string(pattern))]))
        let grammar = try Grammar(#require(try GrammarSpecification(format.followed())), vocabulary: vocabulary)
        for token in vocabulary.tokenize(JSONValue.string(text).jsonText, addSpecial: false, special: false) {
            guard grammar.allows(token), grammar.accept(token) else { return false }
        }
        return vocabulary.endTokens().contains { grammar.allows($0) }
    }

    @Test(
        "a pattern is followed to the letter, in the form that JSON gives to characters",
        arguments: [
            (#"^\d{3}-\d{2,4}$"#, ["123-45", "123-4567"], ["12-34", "123-4", "123-45678", "abc-de"]),
            (#"^(cat|dog)s?$"#, ["cat", "dogs"], ["cats!", "ca", "catdog"]),
            (#"^a.c$"#, ["abc", "a\"c", "a\\c", "aéc"], ["ac", "abbc", "a\nc"]),
            (#"^[^a-c]+$"#, ["xyz", "\t\"", "日本"], ["xaz", ""]),
            (#"^[\w.+-]+@[\w-]+\.[a-z]+$"#, ["ann.b+c@ex-ample.org"], ["ann", "a@b.C"]),
            (#"^"\\?$"#, ["\"", "\"\\"], ["", "\\"]),
            ("b", ["b", "abc"], ["", "a"]),
            ("^a|z$", ["a", "abc", "xyz"], ["bc", ""]),
            (#"^(?:x(?<n>y)+?)*$"#, ["", "xy", "xyyxy"], ["x", "y"]),
            (#"^\s\S$"#, [" a", "\ta"], ["a ", "  "]),
            (#"^{}\/$"#, ["{}/"], ["/"]),
        ])
    func followed(pattern: String, fitting: [String], other: [String]) async throws {
        let engine = try await TestModel.engine()
        for text in fitting {
            let isAllowed = try allows(text, pattern: pattern, vocabulary: engine.vocabulary)
            #expect(isAllowed, "\(pattern) should allow \(text)")
        }
        for text in other {
            let isAllowed = try allows(text, pattern: pattern, vocabulary: engine.vocabulary)
            #expect(!isAllowed, "\(pattern) should not allow \(text)")
        }
        await engine.shutdown()
    }
}
