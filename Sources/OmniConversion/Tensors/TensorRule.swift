/// One line of an architecture's table: what a tensor of the checkpoint is called in a GGUF, without `.weight` or `.bias`.
struct TensorRule: Sendable {
    let source: String
    let target: String
    var rows: Rows
    /// What is added to every value.
    var plus: Float
    /// Rules that need not have their `.weight`.
    var isOptional: Bool

    enum Rows: Sendable, Equatable {
        case asIs
        /// Rows of heads that are rotated by their position; see ``RowOrder/pairs(heads:)``.
        case queries, keys
        /// One tensor for each expert, `*` in the source's name, becomes one for all.
        case experts
        /// As many as the vocabulary has tokens; further ones are padding.
        case tokens
        /// Several of the GGUF's that are one of the checkpoint's, of equal size: their names.
        case thirds([String])
        /// A convolution over two frames, as one for each.
        case frames
        /// A convolution over time: its bias has an axis for it, and libmtmd wants its kernel in f16.
        case channels
        /// Those of a few tokens, in this order.
        case chosen([Int])
        /// All but the first ones, which stand for positions before the first (`pad_token_id` and one more).
        case positions
    }

    init(_ source: String, _ target: String, rows: Rows = .asIs, plus: Float = 0, isOptional: Bool = false) {
        (self.source, self.target, self.rows, self.plus, self.isOptional) = (source, target, rows, plus, isOptional)
    }

    /// Kept in f32 whatever the others are: small, and libllama expects it.
    static func isFull(_ name: String, axes: Int) -> Bool {
        axes <= 1 || name.hasSuffix("_norm.weight") || !name.hasSuffix(".weight") || name.hasSuffix(".ffn_gate_inp.weight")
            || name.hasSuffix("position_embd.weight") || name == "token_types.weight"
    }
}
