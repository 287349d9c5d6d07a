import CLlamaChat
import OmniAPI
import OmniLlama

/// Calls a shim that reports its failure as text.
func throwingText<Result>(_ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result?) throws(ShimError) -> Result {
    var reason: UnsafeMutablePointer<CChar>?
    let result = body(&reason)
    defer { omni_text_free(reason) }
    guard let result else { throw ShimError(reason: reason.map { String(cString: $0) } ?? "no reason was given") }
    return result
}

/// What a C++ exception said.
struct ShimError: Error {
    let reason: String
}

/// Takes over a text that the shim allocated.
func adoptText(_ text: UnsafeMutablePointer<CChar>) -> String {
    defer { omni_text_free(text) }
    return String(cString: text)
}

/// Where an answer stands in a grammar that it must follow.
///
/// Unchecked: made by the task that takes a request in, then handed to the engine's thread, which alone uses it.
final class Grammar: @unchecked Sendable {
    private let handle: OpaquePointer

    init(_ specification: GrammarSpecification, vocabulary: Vocabulary) throws {
        do {
            handle = try throwingText { omni_grammar_open(vocabulary.pointer, specification.text, $0) }
        } catch {
            throw APIError.invalid(specification.parameter, "The answer's form cannot be turned into a grammar: \(error.reason).")
        }
    }

    deinit { omni_grammar_close(handle) }

    func allows(_ token: Token) -> Bool { omni_grammar_allows(handle, token) }
    func filter(_ logits: UnsafeMutablePointer<Float>, count: Int32) { omni_grammar_filter(handle, logits, count) }
    /// False when the token cannot follow, which only happens to a template whose parser and grammar disagree.
    func accept(_ token: Token) -> Bool { omni_grammar_accept(handle, token) }
}

/// A grammar before it is compiled: `grammar`, and for a lazy one its triggers, as JSON text for the shim.
struct GrammarSpecification: Sendable {
    let text: String
    /// The request field to blame.
    let parameter: String

    /// Takes the grammar that a chat template asks for.
    init?(applied: JSONValue, parameter: String) {
        guard let grammar = applied["grammar"]?.stringValue, !grammar.isEmpty else { return nil }
        text =
            JSONValue.object(
                JSONObject([
                    ("grammar", .string(grammar)), ("grammar_lazy", applied["grammar_lazy"] ?? false),
                    ("grammar_triggers", applied["grammar_triggers"] ?? []), ("generation_prompt", applied["generation_prompt"] ?? ""),
                ])
            ).jsonText
        self.parameter = parameter
    }

    /// The grammar of a response format that was put into the engine's form (`followed()`); nil for plain text.
    init?(_ format: ResponseFormat?, parameter: String = "body.response_format") throws {
        let schema: JSONObject
        switch format {
        case nil, .text: return nil
        case .constrained(let constraint):
            guard case .grammar(let grammar) = constraint.kind else { return nil }
            text = JSONValue.object(JSONObject([("grammar", .string(grammar))])).jsonText
            self.parameter = "body.\(constraint.field)"
            return
        case .jsonObject: schema = JSONObject([("type", "object")])
        case .jsonSchema(_, let given): schema = given.isEmpty ? JSONObject([("type", "object")]) : given
        }
        do {
            let grammar = adoptText(try throwingText { omni_grammar_of_schema(JSONValue.object(schema).jsonText, $0) })
            text = JSONValue.object(JSONObject([("grammar", .string(grammar))])).jsonText
        } catch {
            throw APIError.invalid(parameter, "The JSON schema cannot be followed: \(error.reason).")
        }
        self.parameter = parameter
    }
}
