/// The reply of `POST /tokenize`.
public struct TokenizeReply: WireObject, Equatable {
    public var count = 0
    /// Tokens that the model can hold.
    public var maxModelLength: Int?
    public var tokens: [Int] = []
    /// The text of each token, where it was asked for.
    public var tokenTexts: [String]?

    public init() {}

    public static var fields: [Field<TokenizeReply>] {
        [
            .sent("count", \.count, .integer()), .always("max_model_len", \.maxModelLength, .integer()), .sent("tokens", \.tokens, .list(of: .integer())),
            .always("token_strs", \.tokenTexts, .list(of: .string)),
        ]
    }
}

/// The reply of `POST /detokenize`.
public struct DetokenizeReply: WireObject, Equatable {
    public var prompt = ""

    public init() {}
    public static var fields: [Field<DetokenizeReply>] { [.sent("prompt", \.prompt, .string)] }
}
