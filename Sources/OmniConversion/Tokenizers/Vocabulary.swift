import OmniAPI

/// A tokenizer as a GGUF has it.
struct Vocabulary: Sendable {
    /// `tokenizer.ggml.model`: `gpt2`, `llama`, `bert`, `t5`.
    let model: String
    /// `tokenizer.ggml.pre`.
    let preTokenizer: String
    var tokens: [String]
    var types: [TokenType]
    var scores: [Float]?
    var merges: [String]?
    /// Further keys, without `tokenizer.ggml.`.
    var further: [(String, MetadataValue)] = []

    /// Reads the tokenizer of a checkpoint whose embedding has `count` rows. Throws ``ConversionError`` for every kind of tokenizer that
    /// libllama would not follow exactly.
    init(_ source: TokenizerSource, count: Int, architecture: Architecture) throws(ConversionError) {
        if let odd = source.added.first(where: \.wantsWholeWord) {
            throw source.unsupported("\(odd.text) wants whole words, which is not known here.")
        }
        switch source.type {
        case "BPE" where source.model["byte_fallback"] == .bool(true):
            self = try .sentencePiece(source, count: count, architecture: architecture)
        case "BPE": self = try .byteLevel(source, count: count, architecture: architecture)
        case "WordPiece": self = try .wordPiece(source, count: count)
        case "Unigram": self = try .unigram(source, count: count)
        case let other: throw source.unsupported("Tokenizers of the type \(other) are not known here.")
        }
    }

    init(model: String, preTokenizer: String, tokens: [String], types: [TokenType]) {
        (self.model, self.preTokenizer, self.tokens, self.types) = (model, preTokenizer, tokens, types)
    }

    func write(to metadata: inout Metadata) {
        metadata.setTokenizer("model", .string(model))
        metadata.setTokenizer("pre", .string(preTokenizer))
        metadata.setTokenizer("tokens", .strings(tokens))
        if let scores { metadata.setTokenizer("scores", .float32s(scores)) }
        metadata.setTokenizer("token_type", .int32s(types.map(\.rawValue)))
        if let merges { metadata.setTokenizer("merges", .strings(merges)) }
        for (key, value) in further { metadata.setTokenizer(key, value) }
    }

    /// Texts for ids that have none, as the converter of llama.cpp writes them.
    static func filler(_ id: Int) -> String { "[PAD\(id)]" }

    /// Refuses tokens that swallow the white space beside them: libllama knows this of few models, by their names.
    static func refuseStripping(_ source: TokenizerSource, except isKnown: (TokenizerSource.Added) -> Bool = { _ in false })
        throws(ConversionError)
    {
        // Nobody asks a served model to fill a mask.
        let odd = source.added.first { ($0.takesLeft || $0.takesRight) && !["<mask>", "[MASK]"].contains($0.text) && !isKnown($0) }
        if let odd { throw source.unsupported("\(odd.text) takes the white space beside it, which libllama would not do.") }
    }
}
