import OmniAPI

extension Vocabulary {
    /// Byte pairs over characters, with tokens for the bytes of rare ones, as SentencePiece makes them. libllama joins by the scores of
    /// the results and has no list of pairs, so that every way to cut a token into two must be a merge, and tokens must rank as their ids.
    static func sentencePiece(_ source: TokenizerSource, count: Int, architecture: Architecture) throws(ConversionError) -> Vocabulary {
        try refuseStripping(source) { architecture.name == "phi3" && $0.takesRight && !$0.takesLeft }
        let texts = try source.tokens(count: count)
        try checkMerges(source, texts)
        let unknown = source.model["unk_token"]?.stringValue
        var tokens = texts.enumerated().map { $1 ?? filler($0) }
        var types = [TokenType](repeating: .unused, count: count), scores = [Float](repeating: -10_000, count: count)
        let added = Set(source.added.map(\.id))
        var rank: Float = 0
        for (id, text) in texts.enumerated() {
            guard let text, !added.contains(id) else { continue }
            types[id] = isByte(text) ? .byte : text == unknown ? .unknown : .normal
            scores[id] = types[id] == .normal ? -rank : 0
            if types[id] == .normal { rank += 1 }
        }
        for token in source.added {
            (tokens[token.id], types[token.id], scores[token.id]) = (token.stored, token.type, -1000)
        }
        guard types.lazy.filter({ $0 == .byte }).count == 256 else {
            throw source.unsupported("It has byte_fallback and not a token for each byte.")
        }
        var vocabulary = Vocabulary(model: "llama", preTokenizer: "default", tokens: tokens, types: types)
        vocabulary.scores = scores
        switch try spaces(source) {
        case .everywhere: break
        case .nowhere: vocabulary.further.append(("add_space_prefix", .bool(false)))
        case .first: vocabulary.further += [("add_space_prefix", .bool(false)), ("add_space_prefix_once", .bool(true))]
        }
        return vocabulary
    }

    /// `<0x41>`.
    private static func isByte(_ text: String) -> Bool {
        text.utf8.count == 6 && text.hasPrefix("<0x") && text.hasSuffix(">") && UInt8(text.dropFirst(3).dropLast(), radix: 16) != nil
    }

    /// Where a space is put before a text.
    private enum Spaces {
        /// Also after every control token: what libllama does by itself.
        case everywhere
        /// Before the whole text alone, where it does not begin with a space or a control token. libllama cannot; `OmniLlama.Vocabulary` does.
        case first
        case nowhere
    }

    /// Other rules are refused.
    private static func spaces(_ source: TokenizerSource) throws(ConversionError) -> Spaces {
        func steps(_ part: JSONValue?, _ key: String) -> [JSONValue] {
            guard let part, !part.isNull else { return [] }
            return part["type"] == "Sequence" ? part[key]?.arrayValue ?? [] : [part]
        }
        let normalizers = steps(source.json["normalizer"], "normalizers"), cuts = steps(source.json["pre_tokenizer"], "pretokenizers")
        let mark: JSONValue = "\u{2581}"
        if normalizers.isEmpty, cuts.count == 1, let cut = cuts.first, cut["type"] == "Metaspace", cut["replacement"] == mark,
            cut["split"] == false, cut["prepend_scheme"] == "first"
        {
            return .first
        }
        let prepends = normalizers.first?["type"] == "Prepend" && normalizers.first?["prepend"] == mark
        let others = normalizers.dropFirst(prepends ? 1 : 0), replacement = others.first
        let isMarked =
            others.count == 1 && replacement?["type"] == "Replace" && replacement?["pattern"]?["String"] == " "
            && replacement?["content"] == mark
        // Spaces are marks by then, so that this one finds none.
        let cutsNothing = cuts.allSatisfy { $0["type"] == "Split" && $0["pattern"]?["String"] == " " }
        guard isMarked, cutsNothing else {
            let rules = [source.json["normalizer"], source.json["pre_tokenizer"]].map { $0?.jsonText ?? "null" }
            throw source.unsupported("Its rules for spaces are none that are known here: \(rules.joined(separator: ", "))")
        }
        return prepends ? .everywhere : .nowhere
    }

    private static func checkMerges(_ source: TokenizerSource, _ texts: [String?]) throws(ConversionError) {
        let ids = Dictionary(texts.enumerated().compactMap { id, text in text.map { (ExactText($0), id) } }) { first, _ in first }
        // Added tokens are found before anything is merged.
        let added = Set(source.added.map(\.id))
        var last = -1, count = 0
        for merge in try source.merges() {
            guard let id = ids[ExactText(merge.left + merge.right)] else {
                throw source.damaged("The merge of \(merge.left) and \(merge.right) gives no token.")
            }
            guard !added.contains(id) else { continue }
            guard id >= last else { throw source.unsupported("Its merges have another order than the tokens that they give.") }
            last = id
            count += 1
        }
        var expected = 0
        for (id, text) in texts.enumerated() where !added.contains(id) {
            guard let text, !isByte(text) else { continue }
            let scalars = text.unicodeScalars
            for place in scalars.indices.dropFirst()
            where ids[ExactText(String(scalars[..<place]))] != nil && ids[ExactText(String(scalars[place...]))] != nil {
                expected += 1
            }
        }
        guard count == expected else {
            throw source.unsupported("Of \(expected) ways to cut its tokens into two only \(count) are merges: libllama would join more.")
        }
    }
}
