import OmniAPI
import OmniLlama

/// A talker's weights, and the tables of vectors that it is fed from.
final class TalkerModel: Sendable {
    /// Tokens with a meaning of their own; see `TalkerKey` of OmniConversion, which writes them.
    struct Tokens: Sendable, Equatable {
        /// Of the thinker's vocabulary: what stands for the end of a text, and for nothing.
        var textEnd, textPad: Int
        /// Codes.
        var start, end, pad, mask: Token
    }

    let model: LlamaModel
    let tokens: Tokens
    /// Codes that it may write, special ones too.
    let codeCount: Int
    /// Numbers of a vector that goes in: as many as the thinker's states have.
    let width: Int
    private let codes: TensorRows
    private let words: TensorRows

    /// Loads `path`, a talker's GGUF, for the thinker at `thinker`. Blocks. Throws ``APIError``.
    init(path: String, thinker: LlamaModel, placement: ModelPlacement, progress: @escaping @Sendable (Double) -> Void = { _ in }) throws {
        _ = try ModelFile(path: path)
        let model = try LlamaModel(path: path, placement: placement, progress: progress)
        func number(_ name: String) throws -> Int {
            guard let value = model.metadata("omni.talker.\(name)").flatMap({ Int($0) }) else {
                throw APIError(.internalError, "\(path) is no talker: it does not say what \(name) is.")
            }
            return value
        }
        self.model = model
        tokens = Tokens(
            textEnd: try number("tts_text_end_token_id"), textPad: try number("tts_text_pad_token_id"),
            start: Token(try number("tts_codec_start_token_id")), end: Token(try number("tts_codec_end_token_id")),
            pad: Token(try number("tts_codec_pad_token_id")), mask: Token(try number("tts_codec_mask_token_id")))
        guard let codes = TensorRows(path: path, tensor: "token_embd.weight"),
            let words = TensorRows(path: thinker.path, tensor: "token_embd.weight")
        else { throw APIError(.internalError, "The tables of vectors in \(path) or \(thinker.path) cannot be read.") }
        width = model.inputWidth
        codeCount = codes.count
        guard codes.width == width, words.width == width, thinker.outputWidth == width else {
            throw APIError(
                .internalError,
                "\(path) takes vectors of \(width) numbers, and \(thinker.path) gives \(thinker.outputWidth): they belong to two models.")
        }
        (self.codes, self.words) = (codes, words)
    }

    /// What the thinker's network begins with for a token. Throws ``APIError``.
    func vector(ofWord token: Int) throws -> [Float] { try found(words.row(token)) }

    /// The vector of a code. Throws ``APIError``.
    func vector(ofCode code: Token) throws -> [Float] { try found(codes.row(Int(code))) }

    private func found(_ row: [Float]?) throws -> [Float] {
        guard let row else { throw APIError(.internalError, "The model's file cannot be read any more.") }
        return row
    }
}

/// The sum of two vectors.
func sum(_ left: [Float], _ right: [Float]) -> [Float] {
    var result = left
    for index in result.indices { result[index] += right[index] }
    return result
}
