/// An answer of a realtime session.
public struct RealtimeResponse: WireObject, Equatable {
    public enum Status: String, CaseIterable, Sendable { case inProgress = "in_progress", completed, cancelled, incomplete, failed }

    public enum Reason: String, Sendable {
        case turnDetected = "turn_detected", clientCancelled = "client_cancelled", maxOutputTokens = "max_output_tokens",
            contentFilter = "content_filter"
    }

    public struct Audio: WireObject, Equatable {
        public var output = RealtimeResponseRequest.Output()

        public init() {}
        public static var schemaName: String { "RealtimeResponseAudioSettings" }
        public static var fields: [Field<Audio>] { [.sent("output", \.output, .object())] }
    }

    public var id = ""
    public var object = "realtime.response"
    public var status = Status.inProgress
    /// Why it ended so.
    public var statusDetails: JSONValue?
    public var output: [JSONValue] = []
    /// Nil where its items are no part of the conversation.
    public var conversationID: String?
    public var modalities: [RealtimeSession.Modality] = []
    public var maxOutputTokens: Int?
    public var audio = Audio()
    public var usage: JSONValue?
    public var metadata: [String: String]?

    public init() {}

    public static var fields: [Field<RealtimeResponse>] {
        [
            .sent("object", \.object, .string), .sent("id", \.id, .string), .sent("status", \.status, .choice),
            .always("status_details", \.statusDetails, .any), .sent("output", \.output, .list(of: .any)),
            .always("conversation_id", \.conversationID, .string), .sent("output_modalities", \.modalities, .list(of: .choice)),
            .sent("max_output_tokens", \.maxOutputTokens, .tokensOrInfinite), .sent("audio", \.audio, .object()),
            .always("usage", \.usage, .any), .always("metadata", \.metadata, .metadata),
        ]
    }

    /// Ends it.
    public mutating func end(_ status: Status, reason: Reason? = nil, error: APIError? = nil) {
        self.status = status
        var details = JSONObject([("type", .string(status.rawValue))])
        if let reason { details.append("reason", .string(reason.rawValue)) }
        if let error {
            details.append(
                "error", ["type": .string(error.realtimeType), "code": .string(error.code.name), "message": .string(error.fullMessage)])
        }
        statusDetails = status == .completed ? nil : .object(details)
    }
}

extension Usage {
    /// The counts as realtime sessions tell them. The model behind a session reads and writes text.
    public var realtimeJSON: JSONValue {
        [
            "total_tokens": .int(promptTokens + completionTokens), "input_tokens": .int(promptTokens),
            "output_tokens": .int(completionTokens),
            "input_token_details": [
                "text_tokens": .int(promptTokens), "audio_tokens": 0, "image_tokens": 0, "cached_tokens": .int(cachedTokens),
                "cached_tokens_details": ["text_tokens": .int(cachedTokens), "audio_tokens": 0, "image_tokens": 0],
            ],
            "output_token_details": ["text_tokens": .int(completionTokens), "audio_tokens": 0],
        ]
    }
}

extension APIError {
    /// Whose fault it is, in the words of realtime sessions.
    public var realtimeType: String { status >= 500 ? "server_error" : "invalid_request_error" }

    /// The `error` of an `error` event. `eventID`: of the client's event that it answers.
    public func realtimeJSON(eventID: String?) -> JSONValue {
        [
            "type": .string(realtimeType), "code": .string(realtimeCode), "message": .string(fullMessage), "param": .string(param),
            "event_id": .string(eventID),
        ]
    }

    private var realtimeCode: String { code == .badRequest ? "invalid_value" : code.name }
}
