/// How texts that are too long are shortened before a pooling model reads them.
public struct Truncation: Sendable, Equatable {
    /// The end that loses tokens.
    public enum Side: String, CaseIterable, Sendable {
        case left, right
    }

    /// Tokens that are kept, special ones among them; −1 keeps as many as the model takes. Nil refuses what is too long.
    public var limit: Int?
    public var side: Side?

    public init() {}
}

/// A request whose texts a pooling model reads, under vLLM's names.
public protocol TruncatingRequest: WireObject {
    var truncation: Truncation { get set }
}

extension TruncatingRequest {
    static var truncationFields: [Field<Self>] {
        [
            .optional(
                "truncate_prompt_tokens", \.truncation.limit,
                .integer(-1 ... .max).checked { $0 == 0 ? "must be -1, or at least 1." : nil },
                "Keep this many tokens of each text, special ones among them; -1: what the model takes. When absent too long a text is refused."
            ),
            .optional("truncation_side", \.truncation.side, .choice, "The end that loses tokens; `right` when absent."),
        ]
    }
}
