import OmniAPI

/// How a path tells its errors: clients of Anthropic's API read another envelope, and other statuses.
package enum ErrorShape: Sendable {
    case openAI
    case anthropic
    case ollama

    /// The shape for a path, read as the router reads it: empty segments do not count.
    package init(path: String) {
        let parts = path.split(separator: "/")
        self = parts.starts(with: ["v1", "messages"]) ? .anthropic : parts.first == "api" ? .ollama : .openAI
    }

    func status(_ code: APIError.Code) -> Int {
        switch self {
        case .openAI, .ollama: code.status
        case .anthropic: MessageErrorReply.status(code.status)
        }
    }

    /// What the `type` of such an error says.
    func type(_ code: APIError.Code) -> String {
        switch self {
        case .openAI, .ollama: code.type
        case .anthropic: MessageErrorReply.type(ofStatus: code.status)
        }
    }

    func json(_ error: APIError) -> JSONValue {
        switch self {
        case .openAI where error.code == .unauthorized:
            // The peer's one reply outside the envelope that clients may have learnt to read.
            ["error": "Unauthorized"]
        case .openAI where error.code == .invalidAPIKey:
            // The peer has no such keys; clients know OpenAI's word for them.
            ["error": error.json["error"]?.with("code", .string(error.code.name)) ?? .null]
        case .openAI: error.json
        case .anthropic: MessageErrorReply(error).json
        case .ollama: OllamaError(error).json
        }
    }
}

extension JSONValue {
    fileprivate func with(_ name: String, _ value: JSONValue) -> JSONValue {
        var members = objectValue ?? JSONObject()
        members[name] = value
        return .object(members)
    }
}
