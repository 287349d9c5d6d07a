/// One message of a conversation.
public struct ChatMessage: WireObject, Equatable {
    public enum Role: String, CaseIterable, Sendable {
        case system, developer, user, assistant, tool, function
    }

    public var role: Role = .user
    public var content: ChatContent?
    public var name: String?
    /// The calls an assistant message made.
    public var toolCalls: [ToolCall]?
    /// On a `tool` message: the call it answers.
    public var toolCallID: String?
    /// The assistant's earlier reasoning, where the template wants it back.
    public var reasoningContent: String?
    /// Why an assistant refused.
    public var refusal: String?
    /// What an assistant said aloud, as a reply has it.
    public var audio: SpokenMessage?

    public init() {}

    public init(_ role: Role, _ text: String) {
        self.role = role
        content = .text(text)
    }

    public static var fields: [Field<ChatMessage>] {
        [
            .required("role", \.role, .choice),
            .optional("content", \.content, .chatContent),
            .optional("name", \.name, .string),
            .optional("tool_calls", \.toolCalls, .list(of: .object())),
            .optional("tool_call_id", \.toolCallID, .string),
            .optional("reasoning_content", \.reasoningContent, .string, aliases: ["reasoning"]),
            .optional("refusal", \.refusal, .string), .optional("audio", \.audio, .object()),
        ]
    }

    /// What it says: its content, or the words of its sound where it has no content.
    public var words: ChatContent? { content ?? audio?.transcript.map { .text($0) } }

    public func validate(at path: WirePath) throws {
        switch role {
        case .assistant:
            guard words != nil || toolCalls?.isEmpty == false || refusal != nil || reasoningContent != nil else {
                if audio != nil {
                    throw APIError.field(
                        path.appending("audio").appending("transcript"), "is required: the server keeps no sound that it has sent.")
                }
                throw APIError.field(path.appending("content"), "is required unless tool_calls are given.")
            }
        default:
            guard content != nil else { throw APIError.field(path.appending("content"), "is required.") }
        }
    }
}

/// An earlier answer that was heard. Of what a reply says of its sound the words are read.
public struct SpokenMessage: WireObject, Equatable {
    public var id: String?
    public var transcript: String?
    public var data: String?
    public var expiresAt: Int?

    public init() {}

    public static var fields: [Field<SpokenMessage>] {
        [
            .optional("id", \.id, .string),
            .optional("transcript", \.transcript, .string, "What was said; stands for an absent `content`."),
            .optional("data", \.data, .string, "Not used."), .optional("expires_at", \.expiresAt, .integer(0 ... .max), "Not used."),
        ]
    }
}

/// Text, or a list of parts.
public enum ChatContent: Sendable, Equatable {
    case text(String)
    case parts([ChatPart])

    /// The text of all text parts, joined by nothing.
    public var text: String {
        switch self {
        case .text(let text): text
        case .parts(let parts): parts.compactMap { if case .text(let text) = $0 { text } else { nil } }.joined()
        }
    }
}

/// One part of a message's content.
public enum ChatPart: Sendable, Equatable {
    case text(String)
    /// A `data:` or http(s) URL of a picture.
    case image(url: String)
    /// Base64 sound with its format (`wav`, `mp3`, …).
    case audio(data: String, format: String)
    case audioURL(String)
    case videoURL(String)

    /// The part's name on the wire, for error messages.
    public var wireName: String {
        switch self {
        case .text: "text"
        case .image: "image_url"
        case .audio: "input_audio"
        case .audioURL: "audio_url"
        case .videoURL: "video_url"
        }
    }
}

extension WireType where Value == ChatContent {
    static var chatContent: WireType {
        let parts = WireType<[ChatPart]>.list(of: .chatPart)
        return WireType(
            decode: { json, path in
                switch json {
                case .string(let text): return .text(text)
                case .array: return .parts(try parts.decode(json, path))
                default: throw APIError.field(path, "must be text or a list of content parts, not \(json.typeName).")
                }
            },
            encode: { content in
                switch content {
                case .text(let text): .string(text)
                case .parts(let list): parts.encode(list)
                }
            },
            schema: { ["oneOf": [["type": "string"], parts.schema()]] })
    }
}

extension WireType where Value == ChatPart {
    static var chatPart: WireType {
        WireType(
            decode: { json, path in
                if case .string(let text) = json { return .text(text) }
                guard case .object(let object) = json else { throw APIError.field(path, "must be a content part, not \(json.typeName).") }
                func url(_ key: String) throws -> String {
                    if let text = object[key]?.stringValue ?? object[key]?["url"]?.stringValue { return text }
                    throw APIError.field(path.appending(key), "must be an object with a `url`.")
                }
                let kind =
                    object["type"]?.stringValue
                    ?? object.keys.first { ["text", "image_url", "input_audio", "audio_url", "video_url", "image"].contains($0) }
                switch kind {
                case "text", "input_text", "output_text", "refusal":
                    guard let text = (object["text"] ?? object["refusal"])?.stringValue else {
                        throw APIError.field(path.appending("text"), "must be a string.")
                    }
                    return .text(text)
                case "image_url", "input_image": return .image(url: try url("image_url"))
                case "image":
                    guard let data = object["image"]?.stringValue else {
                        throw APIError.field(path.appending("image"), "must be base64 text.")
                    }
                    return .image(url: data.hasPrefix("data:") ? data : "data:image/png;base64,\(data)")
                case "audio_url": return .audioURL(try url("audio_url"))
                case "video_url": return .videoURL(try url("video_url"))
                case "input_audio":
                    guard let data = object["input_audio"]?["data"]?.stringValue else {
                        throw APIError.field(path.appending("input_audio"), "must be an object with base64 `data` and a `format`.")
                    }
                    return .audio(data: data, format: object["input_audio"]?["format"]?.stringValue ?? "wav")
                default:
                    throw APIError.field(
                        path.appending("type"),
                        "must be one of text, image_url, input_audio, audio_url, video_url; not \((object["type"] ?? .null).short).")
                }
            },
            encode: { part in
                switch part {
                case .text(let text): ["type": "text", "text": .string(text)]
                case .image(let url): ["type": "image_url", "image_url": ["url": .string(url)]]
                case .audio(let data, let format):
                    ["type": "input_audio", "input_audio": ["data": .string(data), "format": .string(format)]]
                case .audioURL(let url): ["type": "audio_url", "audio_url": ["url": .string(url)]]
                case .videoURL(let url): ["type": "video_url", "video_url": ["url": .string(url)]]
                }
            },
            schema: {
                func part(_ name: String, _ value: JSONValue) -> JSONValue {
                    [
                        "type": "object", "required": ["type", .string(name)],
                        "properties": .object(JSONObject([("type", ["const": .string(name)]), (name, value)])),
                    ]
                }
                let url: JSONValue = ["type": "object", "required": ["url"], "properties": ["url": ["type": "string"]]]
                return [
                    "oneOf": [
                        part("text", ["type": "string"]), part("image_url", url), part("audio_url", url), part("video_url", url),
                        part(
                            "input_audio",
                            [
                                "type": "object", "required": ["data"],
                                "properties": ["data": ["type": "string"], "format": ["type": "string"]],
                            ]),
                    ]
                ]
            })
    }
}
