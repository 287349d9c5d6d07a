/// What a server says in a realtime session: its `type`, and the members that most types have. All others stand in ``json``.
public struct RealtimeServerEvent: Sendable, Equatable {
    public var json: JSONObject

    public init(_ json: JSONObject) { self.json = json }

    /// `response.output_audio.delta` and so on.
    public var type: String { text("type") ?? "" }
    /// More of a text, or base64 of more sound.
    public var delta: String? { text("delta") }
    /// The text of a sound, once it is whole.
    public var transcript: String? { text("transcript") }
    public var itemID: String? { text("item_id") }
    public var responseID: String? { text("response_id") ?? json["response"]?["id"]?.stringValue }
    /// `response.done` and `response.created`.
    public var response: JSONValue? { json["response"] }
    public var item: JSONValue? { json["item"] }
    public var session: JSONValue? { json["session"] }

    /// The bytes that an event with sound brings, in the session's format; nil for other events.
    public var sound: [UInt8]? {
        guard ["response.output_audio.delta", "response.audio.delta"].contains(type) else { return nil }
        return delta.flatMap(Base64.decode).map(Array.init)
    }

    /// What an `error` event says.
    public var error: (message: String, code: String?, param: String?)? {
        guard type == "error", let error = json["error"] else { return nil }
        return (error["message"]?.stringValue ?? error.stringValue ?? "", error["code"]?.stringValue, error["param"]?.stringValue)
    }

    private func text(_ name: String) -> String? { json[name]?.stringValue }
}

extension RealtimeClientEvent {
    /// The wire shape.
    public var json: JSONValue {
        switch self {
        case .updateSession(let session): ["type": "session.update", "session": .object(session)]
        case .appendAudio(let audio): ["type": "input_audio_buffer.append", "audio": .string(audio)]
        case .commitAudio: ["type": "input_audio_buffer.commit"]
        case .clearAudio: ["type": "input_audio_buffer.clear"]
        case .createItem(let item, let previous):
            .object(
                JSONObject(
                    [("type", "conversation.item.create"), ("item", item.json)]
                        + (previous.map { [("previous_item_id", .string($0))] } ?? [])))
        case .retrieveItem(let id): ["type": "conversation.item.retrieve", "item_id": .string(id)]
        case .truncateItem(let id, let part, let milliseconds):
            [
                "type": "conversation.item.truncate", "item_id": .string(id), "content_index": .int(part),
                "audio_end_ms": .int(milliseconds),
            ]
        case .deleteItem(let id): ["type": "conversation.item.delete", "item_id": .string(id)]
        case .createResponse(let request): ["type": "response.create", "response": request.json]
        case .cancelResponse(let id):
            .object(JSONObject([("type", "response.cancel")] + (id.map { [("response_id", .string($0))] } ?? [])))
        }
    }
}
