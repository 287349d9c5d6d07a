import OmniAPI

/// What a byte-level tokenizer does with a text before it joins bytes: the file's own normalizer and pre-tokenizer as one comparable
/// list, and the name under which libllama has the same rules. Rules that are in no line of the table are refused.
struct PreTokenizerRules: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        /// Every match of a regular expression is a word, and so is what lies between.
        case split(String)
        case digits
        /// GPT-2's own expression, or none.
        case bytes(splits: Bool)
    }

    let normalizers: [String]
    let steps: [Step]
    /// Words that are tokens are taken without merging.
    let ignoresMerges: Bool

    init(_ source: TokenizerSource) throws(ConversionError) {
        normalizers = Self.flat(source.json["normalizer"], "normalizers").map { $0["type"]?.stringValue ?? "" }
        ignoresMerges = source.model["ignore_merges"]?.boolValue ?? false
        var steps: [Step] = []
        for part in Self.flat(source.json["pre_tokenizer"], "pretokenizers") {
            switch part["type"]?.stringValue {
            case "Split":
                let behavior = part["behavior"]?.stringValue, isInverted = part["invert"]?.boolValue ?? false
                // Two ways to say the same of an expression that matches everything.
                guard let pattern = part["pattern"]?["Regex"]?.stringValue,
                    (behavior == "Isolated" && !isInverted) || (behavior == "Removed" && isInverted)
                else {
                    throw source.unsupported("Its pre-tokenizer splits in a way that is not known here: \(part.jsonText)")
                }
                steps.append(.split(pattern))
            case "Digits" where part["individual_digits"] == .bool(true): steps.append(.digits)
            case "ByteLevel" where part["add_prefix_space"] != .bool(true):
                steps.append(.bytes(splits: part["use_regex"]?.boolValue ?? true))
            default: throw source.unsupported("Its pre-tokenizer has a part that is not known here: \(part.jsonText)")
            }
        }
        self.steps = steps
    }

    /// The parts of a sequence, or the one part.
    private static func flat(_ part: JSONValue?, _ key: String) -> [JSONValue] {
        guard let part, !part.isNull else { return [] }
        guard part["type"] == "Sequence" else { return [part] }
        return (part[key]?.arrayValue ?? []).flatMap { flat($0, key) }
    }

    /// libllama's name. Throws ``ConversionError`` for rules that it does not have.
    func name(_ source: TokenizerSource) throws(ConversionError) -> String {
        if let known = Self.table.first(where: { $0.rules == self }) { return known.name }
        let words = steps.map { if case .split(let pattern) = $0 { "split by \(pattern)" } else { "\($0)" } }
        throw source.unsupported(
            "Its rules for cutting text into words are none that are known here (\((normalizers + words).joined(separator: ", "))\(ignoresMerges ? ", ignore_merges" : "")): words would be cut wrongly."
        )
    }

    private init(_ steps: [Step], normalizers: [String] = [], ignoresMerges: Bool = false) {
        (self.steps, self.normalizers, self.ignoresMerges) = (steps, normalizers, ignoresMerges)
    }

    private static let contractions = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)"#
    private static let rest = #" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    private static func letters(_ digits: String) -> String { contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits + "|" + rest }

    private static let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#
    /// Words end where a capital follows a small letter.
    private static func cased(_ ending: String, _ digits: String) -> String {
        let lead = #"[^\r\n\p{L}\p{N}]?"#
        return "\(lead)\(upper)*\(lower)+\(ending)|\(lead)\(upper)+\(lower)*\(ending)|\(digits)|"
            + #" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }

    private static let three = #"\p{N}{1,3}"#, one = #"\p{N}"#
    private static func whole(_ pattern: String) -> [Step] { [.split(pattern), .bytes(splits: false)] }

    /// Where two names have the same rules, the first is taken; ``Architecture/preTokenizer`` may prefer another.
    private static let table: [(rules: PreTokenizerRules, name: String)] = [
        (.init(whole(letters(three)), ignoresMerges: true), "llama-bpe"),
        (.init(whole(letters(three))), "dbrx"),
        (.init(whole(letters(one)), normalizers: ["NFC"]), "qwen2"),
        (.init(whole(letters(one))), "stablelm2"),
        (.init([.digits, .bytes(splits: true)]), "smollm"),
        (.init([.bytes(splits: true)]), "gpt-2"),
        (.init(whole(cased(contractions + "?", three))), "gpt-4o"),
        (.init(whole(cased("", one)), ignoresMerges: true), "tekken"),
    ]
}
