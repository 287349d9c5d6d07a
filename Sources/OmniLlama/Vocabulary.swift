import CLlama
import Foundation

/// A token id. Ids below zero stand for the positions of a picture or a sound, see ``Prompt``.
package typealias Token = Int32

/// The tokens of a model: text to ids and back.
///
/// Unchecked: the handle belongs to the model and is only read; llama.cpp's tokenizer may be called from any thread.
package struct Vocabulary: @unchecked Sendable {
    private let handle: OpaquePointer
    private let model: LlamaModel
    package let count: Int
    /// Whether a space goes before a text that begins with neither a space nor a control token: libllama knows only of one after every
    /// control token, or none.
    private let hasPrefixOnce: Bool
    /// Whether letters and their accents are composed first, as the tokenizers of these families do and libllama does not.
    private let isComposed: Bool

    package init?(of model: LlamaModel) {
        guard let handle = llama_model_get_vocab(model.handle) else { return nil }
        self.handle = handle
        self.model = model
        count = Int(llama_vocab_n_tokens(handle))
        hasPrefixOnce = model.metadata("tokenizer.ggml.add_space_prefix_once") == "true"
        isComposed = ["qwen2", "qwen35", "deepseek-r1-qwen"].contains(model.metadata("tokenizer.ggml.pre") ?? "")
        guard count > 0 else { return nil }
    }

    /// For the C shims.
    package var pointer: OpaquePointer { handle }

    package func endsGeneration(_ token: Token) -> Bool { llama_vocab_is_eog(handle, token) }
    package func isControl(_ token: Token) -> Bool { llama_vocab_is_control(handle, token) }
    /// How the file writes a token, control tokens too.
    package func name(of token: Token) -> String { llama_vocab_get_text(handle, token).map { String(cString: $0) } ?? "" }
    /// Put before every prompt, where the model wants that.
    package var beginning: Token? {
        guard llama_vocab_get_add_bos(handle) else { return nil }
        let token = llama_vocab_bos(handle)
        return token >= 0 ? token : nil
    }
    /// The tokens that frame a pair of texts: before the first, between both, after the second.
    package var pairFrame: (before: [Token], between: [Token], after: [Token]) {
        let separator = llama_vocab_sep(handle), own = llama_vocab_eos(handle)
        // BERT's texts end with a separator, also where libllama knows of no end.
        let isWordPiece = llama_vocab_type(handle) == LLAMA_VOCAB_TYPE_WPM
        let before = llama_vocab_get_add_bos(handle) || isWordPiece ? [llama_vocab_bos(handle)] : []
        let end = isWordPiece ? [separator] : llama_vocab_get_add_eos(handle) ? [own >= 0 ? own : separator] : []
        let between = end + (llama_vocab_get_add_sep(handle) && !isWordPiece ? [separator] : [])
        return (before.filter { $0 >= 0 }, between.filter { $0 >= 0 }, end.filter { $0 >= 0 })
    }
    /// All tokens that end an answer.
    package func endTokens() -> [Token] { (0..<Token(count)).filter(endsGeneration) }
    /// Tokens that the model's file says must never come.
    package func suppressedTokens() -> [Token] {
        var count: Int32 = 0
        guard let tokens = llama_vocab_get_suppress_tokens(handle, &count) else { return [] }
        return Array(UnsafeBufferPointer(start: tokens, count: Int(count)))
    }

    /// `special`: the texts of control tokens in `text` become those tokens, as a rendered chat template needs.
    package func tokenize(_ text: String, addSpecial: Bool, special: Bool) -> [Token] {
        var text = isComposed && !text.utf8.allSatisfy({ $0 < 128 }) ? text.precomposedStringWithCanonicalMapping : text
        if hasPrefixOnce, let first = text.unicodeScalars.first, first != " ", first != "\u{2581}" {
            let start = special ? plainTokens(text, addSpecial: false, special: true).first : nil
            if start.map({ !isControl($0) }) ?? true { text = " " + text }
        }
        return plainTokens(text, addSpecial: addSpecial, special: special)
    }

    /// What libllama makes of a text as it is.
    private func plainTokens(_ text: String, addSpecial: Bool, special: Bool) -> [Token] {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                var tokens = [Token](repeating: 0, count: characters.count / 2 + 16)
                var written = llama_tokenize(
                    handle, characters.baseAddress, Int32(characters.count), &tokens, Int32(tokens.count), addSpecial, special)
                if written < 0, written != .min {
                    tokens = [Token](repeating: 0, count: Int(-written))
                    written = llama_tokenize(
                        handle, characters.baseAddress, Int32(characters.count), &tokens, Int32(tokens.count), addSpecial, special)
                }
                return Array(tokens.prefix(Int(max(written, 0))))
            }
        }
    }

    /// The bytes of one token, perhaps half a character; empty for control tokens unless `special`.
    package func piece(_ token: Token, special: Bool) -> [UInt8] {
        guard token >= 0, token < Token(count) else { return [] }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            let length = llama_token_to_piece(handle, token, buffer.baseAddress, Int32(buffer.count), 0, special)
            if length >= 0 { return buffer.prefix(Int(length)).map { UInt8(bitPattern: $0) } }
            var long = [CChar](repeating: 0, count: Int(-length))
            let written = llama_token_to_piece(handle, token, &long, Int32(long.count), 0, special)
            return long.prefix(Int(max(written, 0))).map { UInt8(bitPattern: $0) }
        }
    }
}

/// The pieces of a vocabulary, each asked for once. Owned by one thread.
package struct PieceTable {
    private let vocabulary: Vocabulary
    private let special: Bool
    private var pieces: [[UInt8]?]

    package init(_ vocabulary: Vocabulary, special: Bool) {
        self.vocabulary = vocabulary
        self.special = special
        pieces = Array(repeating: nil, count: vocabulary.count)
    }

    package subscript(token: Token) -> [UInt8] {
        mutating get {
            guard pieces.indices.contains(Int(token)) else { return [] }
            if let piece = pieces[Int(token)] { return piece }
            let piece = vocabulary.piece(token, special: special)
            pieces[Int(token)] = piece
            return piece
        }
    }
}
