import OmniAPI

/// Which tokens begin, end and pad a text, and which are put round it: from the post-processor of `tokenizer.json`, then from
/// `tokenizer_config.json`, then from `config.json`.
struct SpecialTokens: Sendable {
    private(set) var ids: [String: Int] = [:]
    private(set) var adds: [String: Bool] = [:]
    private var names: [String: String] = [:]
    private let source: TokenizerSource

    /// Their keys in a GGUF.
    private static let keys = [
        ("bos", "bos_token_id"), ("eos", "eos_token_id"), ("unk", "unknown_token_id"), ("sep", "seperator_token_id"),
        ("pad", "padding_token_id"),
        ("mask", "mask_token_id"), ("eot", "eot_token_id"), ("eom", "eom_token_id"),
    ]

    init(_ source: TokenizerSource, config: Config, count: Int) throws(ConversionError) {
        self.source = source
        for (kind, _) in Self.keys + [("cls", "")] {
            let entry = source.config?["\(kind)_token"]
            names[kind] = entry?.stringValue ?? entry?["content"]?.stringValue
        }
        names["bos"] = names["bos"] ?? names["cls"]
        names["eos"] = names["eos"] ?? names["sep"]
        try readPostProcessor()
        for (kind, _) in Self.keys {
            if let flag = source.config?["add_\(kind)_token"]?.boolValue, adds[kind] == nil { adds[kind] = flag }
            if let name = names[kind], let token = source.added.first(where: { ExactText($0.text) == ExactText(name) }) {
                ids[kind] = token.id
            }
        }
        for (kind, _) in Self.keys where ids[kind] == nil {
            if let id = config["\(kind)_token_id"]?.intValue, id >= 0, id < count { ids[kind] = id }
        }
    }

    private mutating func readPostProcessor() throws(ConversionError) {
        guard let processor = source.json["post_processor"], !processor.isNull else { return }
        for part in processor["processors"]?.arrayValue ?? [processor] {
            switch part["type"]?.stringValue {
            case "ByteLevel":
                adds["bos"] = adds["bos"] ?? false
                adds["eos"] = adds["eos"] ?? false
            case "TemplateProcessing": try readTemplate(part)
            // What libllama does with WordPiece by itself.
            case "BertProcessing": break
            case let other: throw source.unsupported("Its post-processor of the type \(other ?? "none") is not known here.")
            }
        }
    }

    /// One token may stand before a text, and one after it.
    private mutating func readTemplate(_ part: JSONValue) throws(ConversionError) {
        func special(_ place: JSONValue?) -> String? { place?["SpecialToken"]?["id"]?.stringValue }
        let single = part["single"]?.arrayValue ?? [], pair = part["pair"]?.arrayValue ?? []
        guard single.count <= 3, single.count - (special(single.first) == nil ? 0 : 1) - (special(single.last) == nil ? 0 : 1) == 1 else {
            throw source.unsupported("Its post-processor puts other tokens round a text than one before and one after it.")
        }
        if let first = special(single.first) {
            names["bos"] = names["bos"] ?? first
            guard first == names["bos"] || first == names["cls"] else {
                throw source.unsupported("A text begins with \(first), which is no bos_token.")
            }
            adds["bos"] = true
        }
        if let last = special(single.last) {
            // What ends a text here goes before what tokenizer_config.json says; that one ends a turn.
            if let other = names["eos"], other != last { names["eot"] = names["eot"] ?? other }
            names["eos"] = last
            adds["eos"] = true
        }
        guard single.count > 1, !pair.isEmpty else { return }
        // What stands between two texts: a separator, or nothing but the beginning of the second.
        let inner = pair.dropFirst(special(single.first) == nil ? 0 : 1).dropLast(special(single.last) == nil ? 0 : 1)
        guard inner.first?["Sequence"]?["id"] == "A", inner.last?["Sequence"]?["id"] == "B", inner.count > 2 else { return }
        let between = inner.dropFirst().dropLast()
        let separators = [names["sep"], names["eos"]].compactMap { $0 }
        adds["sep"] = special(between.first).map { separators.contains($0) && special(single.last) == nil } ?? false
        if between.count == 2, let second = special(between.last), separators.contains(second) { adds["sep"] = true }
    }

    /// Adds what `generation_config.json` says of the end of an answer, where libllama would not know it by the token's text.
    mutating func addEnds(_ ends: [Int], _ vocabulary: Vocabulary) {
        let further = ends.filter { id in
            vocabulary.tokens.indices.contains(id) && !ids.contains { $0.value == id && ["eos", "eot", "eom"].contains($0.key) }
                && !Self.knownEnds.contains(vocabulary.tokens[id])
        }
        for (kind, id) in zip(["eot", "eom"].filter { ids[$0] == nil }, further) { ids[kind] = id }
    }

    /// Texts by which libllama knows the end of an answer.
    private static let knownEnds: Set<String> = [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>",
        "<|end_of_text|>",
        "<end_of_utterance>", "<eos>",
    ]

    func write(to metadata: inout Metadata) {
        for (kind, key) in Self.keys {
            if let id = ids[kind] { metadata.setTokenizer(key, .uint32(UInt32(clamping: id))) }
            if let flag = adds[kind], ["bos", "eos", "sep"].contains(kind) { metadata.setTokenizer("add_\(kind)_token", .bool(flag)) }
        }
    }
}
