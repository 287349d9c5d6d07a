import OmniAPI

/// `--speculative-config`, in vLLM's words: where guesses at the next tokens come from, which the model then checks several at once.
public struct SpeculativeConfig: WireObject, Equatable {
    public enum Method: String, CaseIterable, Sendable {
        /// Nothing is guessed.
        case none
        /// What followed the same tokens earlier in the prompt or the answer.
        case ngram
        /// What a smaller model says, and n-grams where they are surer.
        case draftModel = "draft_model"
    }

    /// Nil: a draft model where one is named, else n-grams.
    public var method: Method?
    /// The GGUF of a smaller model with the same vocabulary.
    public var model: String?
    /// Most tokens of a draft. How many are drafted is learned, up to this.
    public var tokens: Int?
    /// The longest run of tokens that is compared with what came earlier.
    public var longestMatch: Int?
    /// Fewer equal tokens say nothing.
    public var shortestMatch: Int?

    public init() {}

    public init(method: Method?, model: String? = nil, tokens: Int? = nil) {
        self.method = method
        self.model = model
        self.tokens = tokens
    }

    /// Most tokens that a draft may be allowed to have, and may where nothing is said: where many rows cost as much as a few, long
    /// drafts are the ones that pay.
    public static let mostTokens = 32

    public static var fields: [Field<SpeculativeConfig>] {
        [
            .optional("method", \.method, .choice),
            .optional("model", \.model, .string(length: 1...4096)),
            .optional("num_speculative_tokens", \.tokens, .integer(1...mostTokens)),
            .optional("prompt_lookup_max", \.longestMatch, .integer(1...64)),
            .optional("prompt_lookup_min", \.shortestMatch, .integer(1...64)),
        ]
    }

    public func validate(at path: WirePath) throws {
        if method == .draftModel, model == nil { throw APIError.field(path.appending("model"), "is required by the method `draft_model`.") }
        if let model, let method, method != .draftModel {
            throw APIError.field(path.appending("model"), "is of no use to the method `\(method.rawValue)`: \(model).")
        }
        if lookup.shortest > lookup.longest {
            throw APIError.field(
                path.appending("prompt_lookup_min"), "must be at most prompt_lookup_max (\(lookup.longest)), not \(lookup.shortest).")
        }
    }

    /// Reads the flag's JSON. Throws ``APIError`` naming the member at fault, one that is not known too.
    public init(flag text: String) throws {
        var ignored = IgnoredFields()
        let path = WirePath.root("--speculative-config")
        try self.init(json: try JSONValue.parse(text), at: path, ignored: &ignored)
        if let name = ignored.names.first {
            throw APIError.field(path.appending(name), "is not known here; known are \(Self.fields.map(\.name).joined(separator: ", ")).")
        }
    }

    /// Whether anything is guessed.
    public var isOn: Bool { method != Method.none }
    var maxTokens: Int { tokens ?? Self.mostTokens }
    /// The lengths of runs that are looked for; vLLM's way where one is given: it stands for both.
    var lookup: (shortest: Int, longest: Int) {
        switch (shortestMatch, longestMatch) {
        case (nil, nil): (3, 16)
        case (let shortest?, nil): (shortest, max(shortest, 16))
        case (nil, let longest?): (min(longest, 3), longest)
        case (let shortest?, let longest?): (shortest, longest)
        }
    }
}
