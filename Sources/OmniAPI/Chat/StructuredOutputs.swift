/// vLLM's `structured_outputs`: the form that the whole answer has, as one of its members.
public struct StructuredOutputs: WireObject, Equatable {
    /// A JSON Schema, or one as text.
    public var json: JSONValue?
    public var regex: String?
    public var choice: [String]?
    /// GBNF, llama.cpp's form of EBNF, whose first rule is `root`.
    public var grammar: String?
    public var jsonObject: Bool?
    public var structuralTag: JSONValue?

    public init() {}

    public static var fields: [Field<StructuredOutputs>] {
        [
            .optional("json", \.json, .any, "A JSON Schema as an object, or as text."),
            .optional("regex", \.regex, .string(length: 1...10_000), "A regular expression that the whole answer matches."),
            .optional("choice", \.choice, .list(of: .string(length: 1...10_000), count: 1...1000), "The answers that may be given."),
            .optional("grammar", \.grammar, .string(length: 1...1_000_000), "A grammar in GBNF with a rule `root`."),
            .optional("json_object", \.jsonObject, .bool, "Any JSON object."),
            .optional("structural_tag", \.structuralTag, .any, "Not supported."),
        ]
    }

    public func validate(at path: WirePath) throws {
        if structuralTag != nil {
            throw APIError.field(path.appending("structural_tag"), "is not supported; give `json`, `regex`, `choice` or `grammar`.")
        }
        let given = [
            json.map { _ in "json" }, regex.map { _ in "regex" }, choice.map { _ in "choice" }, grammar.map { _ in "grammar" },
            jsonObject == true ? "json_object" : nil,
        ].compactMap { $0 }
        guard given.count == 1 else {
            throw APIError.field(
                path,
                "must have one of json, regex, choice, grammar and json_object, not \(given.isEmpty ? "none" : given.joined(separator: " and "))."
            )
        }
        if let json { _ = try Self.schema(json, at: path.appending("json")) }
    }

    /// Checked by ``validate(at:)``.
    func format(_ field: String) -> ResponseFormat? {
        if let json { return (try? Self.schema(json, at: .body)).map { .jsonSchema(name: "answer", schema: $0) } }
        if let regex { return .constrained(AnswerConstraint(.regex(regex), field: field)) }
        if let choice { return .constrained(AnswerConstraint(.choice(choice), field: field)) }
        if let grammar { return .constrained(AnswerConstraint(.grammar(grammar), field: field)) }
        return jsonObject == true ? .jsonObject : nil
    }

    private static func schema(_ json: JSONValue, at path: WirePath) throws -> JSONObject {
        let value = try json.stringValue.map { text in
            do { return try JSONValue.parse(text) } catch { throw APIError.field(path, "is text that is no JSON.") }
        }
        guard let schema = (value ?? json).objectValue else { throw APIError.field(path, "must be a JSON Schema, an object or its text.") }
        return schema
    }
}

/// A form of answers that is not JSON.
public struct AnswerConstraint: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// The whole answer matches.
        case regex(String)
        case choice([String])
        /// GBNF.
        case grammar(String)
    }

    public var kind: Kind
    /// The request's field that asked for it, for errors.
    public var field: String

    public init(_ kind: Kind, field: String) { (self.kind, self.field) = (kind, field) }
}

extension ResponseFormat {
    /// The form, where it is no JSON.
    public var constraint: AnswerConstraint? { if case .constrained(let constraint) = self { constraint } else { nil } }
}

/// Where a request says which form its answer has, besides `response_format`: vLLM's field of today, and those that it had before.
public struct AnswerForm: Sendable, Equatable {
    public var structuredOutputs: StructuredOutputs?
    public var guidedJSON: JSONValue?
    public var guidedRegex: String?
    public var guidedChoice: [String]?
    public var guidedGrammar: String?

    public init() {}

    private var given: [(field: String, outputs: StructuredOutputs)] {
        func one(_ field: String, _ set: (inout StructuredOutputs) -> Void) -> (String, StructuredOutputs) {
            var outputs = StructuredOutputs()
            set(&outputs)
            return (field, outputs)
        }
        return [
            structuredOutputs.map { ("structured_outputs", $0) }, guidedJSON.map { json in one("guided_json") { $0.json = json } },
            guidedRegex.map { regex in one("guided_regex") { $0.regex = regex } },
            guidedChoice.map { choice in one("guided_choice") { $0.choice = choice } },
            guidedGrammar.map { grammar in one("guided_grammar") { $0.grammar = grammar } },
        ].compactMap { $0 }
    }

    var format: ResponseFormat? { given.first.flatMap { $0.outputs.format($0.field) } }

    /// - Parameter format: what `response_format` says.
    func validate(beside format: ResponseFormat?, at path: WirePath) throws {
        for (field, outputs) in given where field != "structured_outputs" { try outputs.validate(at: path.appending(field)) }
        guard let first = given.first else { return }
        if let second = given.dropFirst().first {
            throw APIError.field(path.appending(second.field), "cannot be given beside `\(first.field)`: an answer has one form.")
        }
        if let format, format != .text {
            throw APIError.field(path.appending(first.field), "cannot be given beside `response_format`: an answer has one form.")
        }
    }
}

/// Requests whose answer may have a form.
public protocol FormedRequest: SamplingRequest {
    var responseFormat: ResponseFormat? { get set }
    var form: AnswerForm { get set }
}

extension FormedRequest {
    /// The form of the answer, whichever field says it.
    public var answerFormat: ResponseFormat? { form.format ?? responseFormat }

    static func formFields(_ path: WritableKeyPath<Self, AnswerForm> & Sendable) -> [Field<Self>] {
        [
            .optional("response_format", \.responseFormat, .responseFormat),
            .optional(
                "structured_outputs", \.form.structuredOutputs, .object(), "vLLM's form of an answer, in place of `response_format`."),
            .optional("guided_json", \.form.guidedJSON, .any, "Older name of `structured_outputs.json`."),
            .optional("guided_regex", \.form.guidedRegex, .string(length: 1...10_000), "Older name of `structured_outputs.regex`."),
            .optional(
                "guided_choice", \.form.guidedChoice, .list(of: .string(length: 1...10_000), count: 1...1000),
                "Older name of `structured_outputs.choice`."),
            .optional(
                "guided_grammar", \.form.guidedGrammar, .string(length: 1...1_000_000), "Older name of `structured_outputs.grammar`."),
        ]
    }
}
