import OmniAPI

extension Vocabulary {
    /// WordPiece as BERT has it. In a GGUF a token that begins a word has the mark of a space, and one that goes on has none.
    static func wordPiece(_ source: TokenizerSource, count: Int) throws(ConversionError) -> Vocabulary {
        try refuseStripping(source)
        let normalizer = source.json["normalizer"] ?? .null
        let lowercase = normalizer["lowercase"]?.boolValue ?? true
        // libllama drops accents when it makes letters small, as BERT does unless it is told otherwise.
        let accents = normalizer["strip_accents"]?.boolValue
        guard normalizer["type"] == "BertNormalizer", normalizer["clean_text"] != .bool(false),
            normalizer["handle_chinese_chars"] != .bool(false),
            accents == nil || accents == lowercase, source.json["pre_tokenizer"]?["type"] == "BertPreTokenizer"
        else { throw source.unsupported("Its rules for words are none that are known here: \(normalizer.jsonText)") }
        guard (source.model["continuing_subword_prefix"] ?? "##") == "##" else {
            throw source.unsupported("Its tokens inside a word begin with something else than ##.")
        }
        let texts = try source.tokens(count: count)
        var vocabulary = Vocabulary(
            model: "bert", preTokenizer: "bert-bge",
            tokens: texts.enumerated().map { id, text in
                guard let text else { return "\u{2581}" + filler(id) }
                // By scalars: an accent behind them belongs to the second sign for Swift.
                return text.utf8.starts(with: "##".utf8) ? String(text.unicodeScalars.dropFirst(2)) : "\u{2581}" + text
            },
            types: texts.map { $0 == nil ? .unused : .normal })
        for token in source.added {
            vocabulary.types[token.id] = token.type
            if token.type == .control { vocabulary.tokens[token.id] = token.text }
        }
        vocabulary.further.append(("normalizer.lowercase", .bool(lowercase)))
        if let accents { vocabulary.further.append(("normalizer.strip_accents", .bool(accents))) }
        return vocabulary
    }
}
