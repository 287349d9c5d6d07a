import OmniAPI

extension Vocabulary {
    /// SentencePiece's unigram model as XLM-RoBERTa has it: the likeliest pieces of a text that its own rules have normalized.
    ///
    /// libllama knows one rule for white space, which leaves none at the ends and one space elsewhere. Where the checkpoint's own
    /// pre-tokenizer is `Metaspace` alone it keeps a space at the end of a text as a token; that difference is let pass.
    static func unigram(_ source: TokenizerSource, count: Int) throws(ConversionError) -> Vocabulary {
        try refuseStripping(source)
        let characters = try characterMap(source)
        try checkSpaces(source)
        guard source.model["byte_fallback"] != .bool(true) else { throw source.unsupported("It is a unigram model with bytes.") }
        let unknown = source.model["unk_id"]?.intValue
        let pieces = source.model["vocab"]?.arrayValue ?? []
        guard !pieces.isEmpty, pieces.count <= count else {
            throw source.damaged("It has \(pieces.count) pieces, and config.json says that there are \(count) tokens.")
        }
        let added = Dictionary(source.added.map { ($0.id, $0) }) { first, _ in first }
        // Behind the last piece stand tokens that no text gives; the converter of llama.cpp calls them so.
        var tokens = (0..<count).map { filler($0 - 1) }, types = [TokenType](repeating: .unused, count: count)
        var scores = [Float](repeating: -10_000, count: count)
        for (id, piece) in pieces.enumerated() {
            guard let text = piece[0]?.stringValue, let score = piece[1]?.doubleValue else {
                throw source.damaged("Piece \(id) has no text or score.")
            }
            if text == "<mask>" { continue }
            tokens[id] = text
            types[id] = id == unknown ? .unknown : added[id].map(\.type) ?? .normal
            scores[id] = types[id] == .normal ? Float(score) : 0
        }
        var vocabulary = Vocabulary(model: "t5", preTokenizer: "default", tokens: tokens, types: types)
        vocabulary.scores = scores
        vocabulary.further = [
            ("add_space_prefix", .bool(true)), ("remove_extra_whitespaces", .bool(true)), ("precompiled_charsmap", .uint8s(characters)),
        ]
        return vocabulary
    }

    /// The table by which SentencePiece replaces characters.
    private static func characterMap(_ source: TokenizerSource) throws(ConversionError) -> [UInt8] {
        let steps = parts(source.json["normalizer"], "normalizers")
        guard let map = steps.first?["precompiled_charsmap"]?.stringValue, let bytes = Base64.decode(map),
            steps.dropFirst().allSatisfy({ $0["type"] == "Strip" || ($0["type"] == "Replace" && $0["pattern"]?["Regex"] == " {2,}") })
        else {
            throw source.unsupported("Its rules for characters are none that are known here: \(steps.compactMap { $0["type"]?.jsonText })")
        }
        return Array(bytes)
    }

    private static func checkSpaces(_ source: TokenizerSource) throws(ConversionError) {
        let steps = parts(source.json["pre_tokenizer"], "pretokenizers")
        let isKnown =
            steps.last.map { step in
                step["type"] == "Metaspace" && step["replacement"] == "\u{2581}" && (step["prepend_scheme"] ?? "always") == "always"
                    && step["add_prefix_space"] != .bool(false)
            } ?? false
        guard isKnown, steps.dropLast().allSatisfy({ $0["type"] == "WhitespaceSplit" }) else {
            throw source.unsupported("Its rules for spaces are none that are known here: \(steps.map(\.jsonText))")
        }
    }

    private static func parts(_ rules: JSONValue?, _ key: String) -> [JSONValue] {
        guard let rules, !rules.isNull else { return [] }
        return rules["type"] == "Sequence" ? rules[key]?.arrayValue ?? [] : [rules]
    }
}
