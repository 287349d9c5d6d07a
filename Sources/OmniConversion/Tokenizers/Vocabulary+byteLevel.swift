import OmniAPI

extension Vocabulary {
    /// Byte pairs over an alphabet of 256 characters that stand for bytes, as GPT-2 had them first.
    static func byteLevel(_ source: TokenizerSource, count: Int, architecture: Architecture) throws(ConversionError) -> Vocabulary {
        let name = try PreTokenizerRules(source).name(source)
        try refuseStripping(source)
        for key in ["continuing_subword_prefix", "end_of_word_suffix", "dropout"] {
            if let value = source.model[key], !value.isNull, value != "" { throw source.unsupported("\(key) is not known here.") }
        }
        let merges = try source.merges(), texts = try source.tokens(count: count)
        let known = Set(texts.lazy.compactMap { $0 }.map { ExactText($0) })
        for merge in merges where !known.contains(ExactText(merge.left + merge.right)) {
            throw source.damaged("The merge of \(merge.left) and \(merge.right) gives no token.")
        }
        var vocabulary = Vocabulary(
            model: "gpt2", preTokenizer: architecture.preTokenizer[name] ?? name, tokens: texts.enumerated().map { $1 ?? filler($0) },
            types: texts.map { $0 == nil ? .unused : .normal })
        for token in source.added {
            vocabulary.tokens[token.id] = token.stored
            vocabulary.types[token.id] = token.type
        }
        // A space cannot stand in a pair, since one parts the pair.
        vocabulary.merges = merges.map { merge in
            [merge.left, merge.right].map { $0.replacingScalar(" ", with: "\u{120}") }.joined(separator: " ")
        }
        return vocabulary
    }
}
