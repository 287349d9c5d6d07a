import Foundation

/// A tokenizer as the metadata of a GGUF hold it: tokens in the order of their ids, each with its kind.
public struct EmbeddedVocabulary: Sendable {
    /// `tokenizer.ggml.model`: `gpt2` for byte pairs, `t5` for a unigram model.
    public var model: String
    /// `tokenizer.ggml.pre`: whose rules cut a text into words.
    public var rules: String?
    public var tokens: [String]
    /// As llama.cpp counts kinds of tokens.
    public var kinds: [Int]
    /// Pairs that become one token, the first learnt first; of byte pairs.
    public var merges: [String] = []
    /// Logarithms of probabilities; of a unigram model.
    public var scores: [Double] = []
    /// SentencePiece's table of replacements; of a unigram model.
    public var replacements: [UInt8] = []
    /// The token that ends a text; nil for none.
    public var end: Int?

    public init(model: String, rules: String?, tokens: [String], kinds: [Int]) {
        (self.model, self.rules, self.tokens, self.kinds) = (model, rules, tokens, kinds)
    }

    private enum Kind {
        static let (unknown, control, userDefined) = (2, 3, 4)
    }

    /// What a `tokenizer.json` would say.
    func file() throws -> TokenizerFile {
        guard tokens.count == kinds.count, !tokens.isEmpty else {
            throw TokenizerError(path: "", reason: "has \(tokens.count) tokens in its metadata and kinds of \(kinds.count)")
        }
        switch model {
        case "gpt2": return try bytePairs()
        case "t5": return try unigram()
        case let other: throw TokenizerError(path: "", reason: "has a tokenizer of the kind \(other) in its metadata, which is not read")
        }
    }

    private func bytePairs() throws -> TokenizerFile {
        guard rules == "qwen2" else {
            throw TokenizerError(path: "", reason: "cuts words as \(rules ?? "it does not say"), and only qwen2's rules are known here")
        }
        let vocabulary = Dictionary(tokens.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        let merges = try merges.map { try TokenizerFile.Merge(line: $0, of: "") }
        return TokenizerFile(
            added_tokens: added, normalizer: try .read(VocabularyFiles.form), pre_tokenizer: try .read(VocabularyFiles.words),
            post_processor: nil, model: TokenizerFile.Model(vocab: vocabulary, merges: merges))
    }

    private func unigram() throws -> TokenizerFile {
        guard scores.count == tokens.count, let unknown = kinds.firstIndex(of: Kind.unknown) else {
            throw TokenizerError(
                path: "", reason: "has \(scores.count) scores for \(tokens.count) tokens in its metadata, or no unknown token")
        }
        let table = #"{"type": "Precompiled", "precompiled_charsmap": "\#(Data(replacements).base64EncodedString())"},"#
        // As transformers writes SentencePiece's model of T5.
        let normalizer = """
            {"type": "Sequence", "normalizers": [\(replacements.isEmpty ? "" : table)
             {"type": "Strip", "strip_left": false, "strip_right": true},
             {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u{2581}"}]}
            """
        let words = #"{"type": "Metaspace", "replacement": "\#u{2581}", "prepend_scheme": "always", "split": true}"#
        return TokenizerFile(
            added_tokens: added, normalizer: try .read(normalizer), pre_tokenizer: try .read(words),
            post_processor: try end.map { try TokenizerFile.PostProcessor(ending: $0, tokens[checked: $0]) },
            model: TokenizerFile.Model(pieces: zip(tokens, scores).map { TokenizerFile.Piece($0, $1) }, unknown: unknown))
    }

    /// Tokens that are cut out of a text before anything else.
    private var added: [TokenizerFile.Added] {
        zip(tokens, kinds).enumerated().compactMap { id, token in
            guard [Kind.unknown, Kind.control, Kind.userDefined].contains(token.1) else { return nil }
            return TokenizerFile.Added(
                id: id, content: token.0, normalized: false, special: token.1 != Kind.userDefined, single_word: nil, lstrip: nil,
                rstrip: nil)
        }
    }
}

extension [String] {
    /// Throws for an id without a token.
    fileprivate subscript(checked id: Int) -> String {
        get throws {
            guard indices.contains(id) else { throw TokenizerError(path: "", reason: "names the token \(id) of \(count) in its metadata") }
            return self[id]
        }
    }
}
