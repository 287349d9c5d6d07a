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
            .sent("count", \.count, .integer()), .always("max_model_len", \.maxModelLength, .integer()),
            .sent("tokens", \.tokens, .list(of: .integer())),
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

/// The reply of `GET /tokenizer_info`: what the model's file says of its tokenizer, under the names of `tokenizer_config.json`.
public struct TokenizerInfo: WireObject, Equatable {
    /// transformers' name of the kind of tokenizer.
    public var tokenizerClass: String?
    public var beginning: String?
    public var end: String?
    public var padding: String?
    public var unknown: String?
    /// Whether prompts begin with `beginning`.
    public var addsBeginning = false
    public var addsEnd = false
    /// Tokens that the model was trained to hold.
    public var maxLength: Int?
    public var vocabularySize = 0
    /// Jinja.
    public var chatTemplate: String?

    public init() {}

    public static var fields: [Field<TokenizerInfo>] {
        [
            .always("tokenizer_class", \.tokenizerClass, .string, "transformers' name of the kind of tokenizer."),
            .always("bos_token", \.beginning, .string),
            .always("eos_token", \.end, .string), .always("pad_token", \.padding, .string), .always("unk_token", \.unknown, .string),
            .sent("add_bos_token", \.addsBeginning, .bool), .sent("add_eos_token", \.addsEnd, .bool),
            .always("model_max_length", \.maxLength, .integer(), "Tokens that the model was trained to hold."),
            .sent("vocab_size", \.vocabularySize, .integer(0 ... .max)),
            .always("chat_template", \.chatTemplate, .string, "A Jinja template."),
        ]
    }
}
