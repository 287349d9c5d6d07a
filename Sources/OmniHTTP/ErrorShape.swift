import OmniAPI

/// How a path tells its errors: clients of Anthropic's API read another envelope, and other statuses.
package enum ErrorShape: Sendable {
    case openAI
    case anthropic

    /// The shape for a path, read as the router reads it: empty segments do not count.
    package init(path: String) {
        self = path.split(separator: "/").starts(with: ["v1", "messages"]) ? .anthropic : .openAI
    }

    func status(_ code: APIError.Code) -> Int {
        switch self {
        case .openAI: code.status
        case .anthropic: MessageErrorReply.status(code.status)
        }
    }

    /// What the `type` of such an error says.
    func type(_ code: APIError.Code) -> String {
        switch self {
        case .openAI: code.type
        case .anthropic: MessageErrorReply.type(ofStatus: code.status)
        }
    }

    func json(_ error: APIError) -> JSONValue {
        switch self {
        // The peer's one reply outside the envelope that clients may have learnt to read.
        case .openAI: error.code == .unauthorized ? ["error": "Unauthorized"] : error.json
        case .anthropic: MessageErrorReply(error).json
        }
    }
}
