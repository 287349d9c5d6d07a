import OmniAPI
import OmniEngine
import OmniLlama

/// How texts become tokens that a pooling model can read whole.
struct TextFraming: Sendable {
    let vocabulary: Vocabulary
    /// Tokens that the model takes.
    let maxLength: Int
    /// In place of separators between the texts of a pair.
    let template: PairTemplate?

    /// The tokens of an input. Throws ``APIError``: 400 where there are none or they are none of the model's, 413 where they are too many.
    func tokens(
        of input: CompletionRequest.Prompt, place: Int, addSpecial: Bool = true, most: Int = 0, truncation: Truncation, field: String
    ) throws -> [Token] {
        var frame: (before: [Token], after: [Token]) = ([], [])
        var tokens: [Token]
        switch input {
        case .text(let text):
            tokens = vocabulary.tokenize(text, addSpecial: false, special: false)
            if addSpecial { frame = (vocabulary.pairFrame.before, vocabulary.pairFrame.after) }
        case .tokens(let ids): tokens = try vocabulary.checked(ids, param: field)
        }
        if most > 0 { tokens = Array(tokens.prefix(most)) }
        let framing = frame.before.count + frame.after.count
        if let limit = limit(truncation) { tokens = tokens.shortened(to: max(limit - framing, 0), truncation) }
        tokens = frame.before + tokens + frame.after
        guard !tokens.isEmpty else { throw APIError.invalid(field, "Input \(place) is empty.") }
        guard tokens.count <= maxLength else { throw tooLong("input \(place)", tokens.count, field) }
        return tokens
    }

    /// The tokens of a pair. Throws as ``tokens(of:place:addSpecial:most:truncation:field:)`` does.
    func pair(_ pairs: TextPairs, first: Int, second: Int) throws -> PooledText {
        let texts = [(pairs.first[first], pairs.mostFirstTokens), (pairs.second[second], pairs.mostSecondTokens)]
        if let template {
            let filled = texts.map { text, most in beginning(of: text, most) }
            let all = template.tokens(vocabulary, query: filled[0], document: filled[1])
            guard all.count <= maxLength else { throw tooLong("pair \(second)", all.count, pairs.fields.second) }
            return PooledText(tokens: all)
        }
        let frame = vocabulary.pairFrame
        let framing = frame.before.count + frame.between.count + frame.after.count
        var bodies = texts.map { text, most in
            let all = vocabulary.tokenize(text, addSpecial: false, special: false)
            return most > 0 ? Array(all.prefix(most)) : all
        }
        if let limit = limit(pairs.truncation) {
            let kept = Self.shares(of: max(limit - framing, 0), bodies[0].count, bodies[1].count)
            bodies = [bodies[0].shortened(to: kept.0, pairs.truncation), bodies[1].shortened(to: kept.1, pairs.truncation)]
        }
        let start = frame.before + bodies[0] + frame.between
        let tokens = start + bodies[1] + frame.after
        guard !tokens.isEmpty else { throw APIError.invalid(pairs.fields.second, "Pair \(second) is empty.") }
        guard tokens.count <= maxLength else { throw tooLong("pair \(second)", tokens.count, pairs.fields.second) }
        return PooledText(tokens: tokens, second: start.count)
    }

    /// What the first `most` tokens of a text say; 0 for all.
    private func beginning(of text: String, _ most: Int) -> String {
        guard most > 0 else { return text }
        let all = vocabulary.tokenize(text, addSpecial: false, special: false)
        return all.count > most ? String(decoding: all.prefix(most).flatMap { vocabulary.piece($0, special: false) }, as: UTF8.self) : text
    }

    private func limit(_ truncation: Truncation) -> Int? { truncation.limit.map { $0 < 0 ? maxLength : min($0, maxLength) } }

    /// What two texts keep of `room` tokens: the longer one gives way first, as in Hugging Face's `longest_first`.
    static func shares(of room: Int, _ first: Int, _ second: Int) -> (Int, Int) {
        guard first + second > room else { return (first, second) }
        let shorter = min(first, second)
        if shorter <= room / 2 { return first <= second ? (first, room - first) : (room - second, second) }
        return first <= second ? (room / 2, room - room / 2) : (room - room / 2, room / 2)
    }

    private func tooLong(_ what: String, _ count: Int, _ field: String) -> APIError {
        APIError(
            .tooLarge, "\(APIError.contextLength(maxLength)) However, \(what) has \(count) tokens.",
            remedy: "Shorten it, send `truncate_prompt_tokens: -1`, or start the server with a larger --max-model-len.", param: field)
    }
}

extension [Token] {
    fileprivate func shortened(to count: Int, _ truncation: Truncation) -> [Token] {
        truncation.side == .left ? Array(suffix(count)) : Array(prefix(count))
    }
}

/// The prompt in which a language model judges a document: `{query}` and `{document}` stand for the texts. In a GGUF it is the chat
/// template of the name `rerank`.
struct PairTemplate: Sendable {
    /// Texts with placeholders, and control tokens between them.
    private let parts: [(text: String, isControl: Bool)]

    init?(of model: LlamaModel) {
        guard let template = model.template(named: "rerank"), template.contains("{document}") else { return nil }
        self.init(template)
    }

    init(_ template: String) {
        var parts: [(String, Bool)] = [], rest = template[...]
        while let token = rest.firstMatch(of: #/<\|[^<>|]+\|>/#) {
            parts.append((String(rest[..<token.range.lowerBound]), false))
            parts.append((String(token.output), true))
            rest = rest[token.range.upperBound...]
        }
        self.parts = (parts + [(String(rest), false)]).filter { !$0.0.isEmpty }
    }

    /// Control tokens count only in the template, not in the texts that are put in.
    func tokens(_ vocabulary: Vocabulary, query: String, document: String) -> [Token] {
        zip(parts, filled(query, document)).flatMap { vocabulary.tokenize($1, addSpecial: false, special: $0.isControl) }
    }

    /// The parts with the texts in them, put in in one go: a query may hold `{document}`.
    func filled(_ query: String, _ document: String) -> [String] {
        parts.map { text, isControl in
            isControl ? text : text.replacing(#/\{(query|document)\}/#) { $0.output.1 == "query" ? query : document }
        }
    }
}
