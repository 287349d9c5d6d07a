import OmniAPI

/// Input vectors of a BERT for the tokens of a pair's second text.
///
/// BERT adds one of two learned vectors to each token, by the text of the pair that it is of (`token_type_ids`). libllama always adds the
/// first. A token's vector with the second one added and the first taken away gives the same sum, and may go in instead of the token.
package final class SegmentRows {
    /// Numbers of a vector.
    package let width: Int
    private let tokens: TensorRows
    /// The second type's vector less the first's.
    private let difference: [Float]

    /// Nil for a model that knows no second type of token, or whose file cannot be read so.
    package init?(path: String) {
        guard let tokens = TensorRows(path: path, tensor: "token_embd.weight"),
            let types = TensorRows(path: path, tensor: "token_types.weight"), types.width == tokens.width, let first = types.row(0),
            let second = types.row(1)
        else { return nil }
        (self.tokens, width) = (tokens, tokens.width)
        difference = zip(second, first).map { $0 - $1 }
    }

    /// The vector of a token, of the second text where `isSecond`. Throws ``APIError`` when the file cannot be read any more.
    package func vector(of token: Token, isSecond: Bool) throws -> [Float] {
        guard let row = tokens.row(Int(token)) else {
            throw APIError(.internalError, "The model's file cannot be read any more.")
        }
        return isSecond ? zip(row, difference).map { $0 + $1 } : row
    }
}
