/// What a client says in a realtime session.
public enum RealtimeClientEvent: Sendable {
    case updateSession(JSONObject)
    /// Base64 in the session's format.
    case appendAudio(String)
    case commitAudio
    case clearAudio
    /// `previous`: the id of the item after which it is put, `root` for the front; nil for the end.
    case createItem(RealtimeItem, previous: String?)
    case retrieveItem(String)
    /// Only what was heard up to so many milliseconds of its sound was said.
    case truncateItem(String, part: Int, milliseconds: Int)
    case deleteItem(String)
    case createResponse(RealtimeResponseRequest)
    /// Of this response; nil for the one that is being made.
    case cancelResponse(String?)

    /// All `type`s.
    public static let types = [
        "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear", "conversation.item.create",
        "conversation.item.retrieve", "conversation.item.truncate", "conversation.item.delete", "response.create", "response.cancel",
    ]

    /// Reads an event. `makeID` makes the id of an item that has none. Throws ``APIError`` 400 naming the member at fault.
    public init(_ json: JSONObject, makeID: () -> String) throws {
        func value(_ name: String) throws -> JSONValue {
            guard let value = json[name], !value.isNull else { throw APIError.field(path(name), "is required.") }
            return value
        }
        func path(_ name: String) -> WirePath { WirePath.root(name) }
        func string(_ name: String) throws -> String { try WireType.string.decode(try value(name), path(name)) }
        func count(_ name: String) throws -> Int { try WireType.integer(0 ... .max).decode(try value(name), path(name)) }
        switch json["type"] {
        case "session.update":
            guard let session = try value("session").objectValue else { throw APIError.field(path("session"), "must be an object.") }
            self = .updateSession(session)
        case "input_audio_buffer.append": self = .appendAudio(try string("audio"))
        case "input_audio_buffer.commit": self = .commitAudio
        case "input_audio_buffer.clear": self = .clearAudio
        case "conversation.item.create":
            let previous = json["previous_item_id"].flatMap { $0.isNull ? nil : $0 }
            self = .createItem(
                try RealtimeItem(json: try value("item"), id: makeID(), at: path("item")),
                previous: try previous.map { try WireType.string.decode($0, path("previous_item_id")) })
        case "conversation.item.retrieve": self = .retrieveItem(try string("item_id"))
        case "conversation.item.truncate":
            self = .truncateItem(try string("item_id"), part: try count("content_index"), milliseconds: try count("audio_end_ms"))
        case "conversation.item.delete": self = .deleteItem(try string("item_id"))
        case "response.create":
            let given = json["response"].flatMap { $0.isNull ? nil : $0 }
            self = .createResponse(
                try given.map { try RealtimeResponseRequest(json: $0, at: path("response")) } ?? RealtimeResponseRequest())
        case "response.cancel": self = .cancelResponse(json["response_id"]?.stringValue)
        case let type:
            throw APIError.field(path("type"), "must be one of \(Self.types.joined(separator: ", ")); not \((type ?? .null).short).")
        }
    }
}

/// What of a response is other than its session has it.
public struct RealtimeResponseRequest: WireObject, Equatable {
    public struct Output: WireObject, Equatable {
        public var voice: String?
        public var format: RealtimeAudioFormat?

        public init() {}
        public static var schemaName: String { "RealtimeResponseAudioOutput" }
        public static var fields: [Field<Output>] {
            [.optional("voice", \.voice, .speechVoice), .optional("format", \.format, .realtimeFormat)]
        }
    }

    public struct Audio: WireObject, Equatable {
        public var output = Output()

        public init() {}
        public static var schemaName: String { "RealtimeResponseAudio" }
        public static var fields: [Field<Audio>] { [.with(default: Output(), "output", \.output, .object())] }
    }

    public enum Conversation: String, CaseIterable, Sendable {
        case auto
        /// Its items do not become the conversation's.
        case none
    }

    public var modalities: [RealtimeSession.Modality]?
    public var instructions: String?
    public var tools: [ResponseTool]?
    public var toolChoice: ToolChoice?
    /// Nil: as the session has it; the inner nil: as many as fit.
    public var maxOutputTokens: Int??
    public var temperature: Double?
    public var audio = Audio()
    public var conversation = Conversation.auto
    /// Instead of the conversation's items. An `item_reference` stands for the conversation's item of that id.
    public var input: [JSONValue]?
    public var metadata: [String: String]?

    public init() {}

    public static var fields: [Field<RealtimeResponseRequest>] {
        [
            .optional("output_modalities", \.modalities, .list(of: .choice, count: 1...2)),
            .optional("instructions", \.instructions, .string),
            .optional("tools", \.tools, .list(of: .object(), count: 0...128)), .optional("tool_choice", \.toolChoice, .responseToolChoice),
            .optional("max_output_tokens", \.maxOutputTokens, .tokensOrInfinite), .optional("temperature", \.temperature, .number(0...2)),
            .with(default: Audio(), "audio", \.audio, .object()), .with(default: .auto, "conversation", \.conversation, .choice),
            .optional("input", \.input, .list(of: .any)), .optional("metadata", \.metadata, .metadata),
        ]
    }
}
