/// One item of a realtime conversation: a message, a call, or a call's result.
public struct RealtimeItem: Sendable, Equatable {
    public enum Status: String, Sendable { case completed, incomplete, inProgress = "in_progress" }

    public enum Part: Sendable, Equatable {
        case text(String)
        /// A picture's `data:` or http(s) URL.
        case image(String)
        /// What somebody said. `audio` is base64 in the session's format, of a part that a client sends; `transcript` is nil until it is known.
        case audio(transcript: String?, audio: String? = nil)

        /// What it says; nil for a picture, and for sound that is not understood yet.
        public var text: String? {
            switch self {
            case .text(let text): text
            case .audio(let transcript, _): transcript
            case .image: nil
            }
        }
    }

    public enum Kind: Sendable, Equatable {
        case message(ChatMessage.Role, [Part])
        case functionCall(callID: String, name: String, arguments: String)
        case functionCallOutput(callID: String, output: String)
    }

    public var id: String
    public var kind: Kind
    public var status: Status

    public init(id: String, _ kind: Kind, status: Status = .completed) { (self.id, self.kind, self.status) = (id, kind, status) }

    /// What is said in it.
    public var text: String { parts.compactMap(\.text).joined() }

    /// Of a message; others have none.
    public var parts: [Part] { if case .message(_, let parts) = kind { parts } else { [] } }

    /// The wire shape.
    public var json: JSONValue {
        var json = JSONObject([
            ("id", .string(id)), ("object", "realtime.item"), ("type", .string(typeName)), ("status", .string(status.rawValue)),
        ])
        switch kind {
        case .message(let role, let parts):
            json.append("role", .string(role.rawValue))
            json.append("content", .array(parts.map { $0.json(of: role) }))
        case .functionCall(let callID, let name, let arguments):
            for (key, value) in [("call_id", callID), ("name", name), ("arguments", arguments)] { json.append(key, .string(value)) }
        case .functionCallOutput(let callID, let output):
            for (key, value) in [("call_id", callID), ("output", output)] { json.append(key, .string(value)) }
        }
        return .object(json)
    }

    private var typeName: String {
        switch kind {
        case .message: "message"
        case .functionCall: "function_call"
        case .functionCallOutput: "function_call_output"
        }
    }

    /// Longest id that a client may choose.
    static let longestID = 64

    /// Reads an item; one without an id gets `id`. Throws ``APIError`` 400 naming the member at fault.
    public init(json: JSONValue, id: @autoclosure () -> String, at path: WirePath) throws {
        guard case .object(let object) = json else { throw APIError.field(path, "must be an item, not \(json.typeName).") }
        func string(_ name: String) throws -> String {
            guard let text = object[name]?.stringValue else { throw APIError.field(path.appending(name), "must be a string.") }
            return text
        }
        if let given = object["id"], !given.isNull {
            self.id = try WireType.string(length: 1...Self.longestID).decode(given, path.appending("id"))
        } else {
            self.id = id()
        }
        status = object["status"]?.stringValue.flatMap(Status.init(rawValue:)) ?? .completed
        switch object["type"]?.stringValue {
        case "message":
            guard let role = ChatMessage.Role(rawValue: try string("role")), [.user, .assistant, .system].contains(role) else {
                throw APIError.field(path.appending("role"), "must be user, assistant or system.")
            }
            guard let parts = object["content"]?.arrayValue else {
                throw APIError.field(path.appending("content"), "must be a list of parts.")
            }
            kind = .message(role, try parts.enumerated().map { try Part($1, of: role, at: path.appending("content").appending($0)) })
        case "function_call":
            // Clients may leave the id of a call of their own making out.
            kind = .functionCall(
                callID: object["call_id"]?.stringValue ?? self.id, name: try string("name"), arguments: try string("arguments"))
        case "function_call_output": kind = .functionCallOutput(callID: try string("call_id"), output: try string("output"))
        default:
            throw APIError.field(
                path.appending("type"), "must be message, function_call or function_call_output; not \((object["type"] ?? .null).short).")
        }
    }
}

extension RealtimeItem.Part {
    fileprivate func json(of role: ChatMessage.Role) -> JSONValue {
        let side = role == .assistant ? "output" : "input"
        return switch self {
        case .text(let text): ["type": .string("\(side)_text"), "text": .string(text)]
        case .image(let url): ["type": "input_image", "image_url": .string(url)]
        case .audio(let transcript, _): ["type": .string("\(side)_audio"), "transcript": .string(transcript)]
        }
    }

    /// The beta's names of an assistant's parts are read too.
    fileprivate init(_ json: JSONValue, of role: ChatMessage.Role, at path: WirePath) throws {
        func string(_ name: String) throws -> String {
            guard let text = json[name]?.stringValue else { throw APIError.field(path.appending(name), "must be a string.") }
            return text
        }
        switch (json["type"]?.stringValue, role) {
        case ("output_text", .assistant), ("text", .assistant), ("input_text", .user), ("input_text", .system), ("text", .system):
            self = .text(try string("text"))
        case ("output_audio", .assistant), ("audio", .assistant): self = .audio(transcript: json["transcript"]?.stringValue ?? "")
        case ("input_audio", .user):
            let transcript = json["transcript"]?.stringValue
            self = .audio(transcript: transcript, audio: transcript == nil ? try string("audio") : nil)
        case ("input_image", .user): self = .image(try string("image_url"))
        default:
            let known =
                switch role {
                case .assistant: "output_text or output_audio"
                case .user: "input_text, input_audio or input_image"
                default: "input_text"
                }
            throw APIError.field(path.appending("type"), "must be \(known); not \((json["type"] ?? .null).short).")
        }
    }
}
