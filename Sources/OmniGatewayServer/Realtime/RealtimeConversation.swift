import OmniAPI

/// The items of a realtime conversation in their order. A pure value.
struct RealtimeConversation {
    /// More are refused: a session holds all of them.
    static let mostItems = 2000

    private(set) var items: [RealtimeItem] = []
    /// When the sentences of spoken answers sound, by item.
    private var spoken: [String: SpokenTranscript] = [:]

    var lastID: String? { items.last?.id }

    func item(_ id: String) throws -> RealtimeItem { items[try place(of: id, "item_id")] }

    /// The id of the item before this one.
    func previous(of id: String) -> String? {
        items.firstIndex { $0.id == id }.flatMap { $0 > 0 ? items[$0 - 1].id : nil }
    }

    /// Puts an item after the one named, at the front for `root`, or at the end. Throws 400 where that is not there, or the id is taken.
    mutating func insert(_ item: RealtimeItem, after previous: String? = nil) throws {
        guard !items.contains(where: { $0.id == item.id }) else {
            throw APIError.invalid("item.id", "There is an item with the id '\(item.id)' already.")
        }
        guard items.count < Self.mostItems else {
            throw APIError.invalid("item", "The conversation has \(Self.mostItems) items already.", remedy: "Delete some.")
        }
        switch previous {
        case nil: items.append(item)
        case "root": items.insert(item, at: 0)
        case let id?: items.insert(item, at: try place(of: id, "previous_item_id") + 1)
        }
    }

    /// Puts an item of the server's own at the end.
    mutating func append(_ item: RealtimeItem) { items.append(item) }

    /// Changes an item that is there; does nothing otherwise: a client may have deleted it.
    mutating func change(_ id: String, _ change: (inout RealtimeItem) -> Void) {
        if let place = items.firstIndex(where: { $0.id == id }) { change(&items[place]) }
    }

    mutating func delete(_ id: String) throws {
        items.remove(at: try place(of: id, "item_id"))
        spoken[id] = nil
    }

    /// A spoken answer is what these sentences say.
    mutating func keep(_ transcript: SpokenTranscript, of id: String) { spoken[id] = transcript }

    /// Nothing of a spoken answer after so many milliseconds was heard. Throws 400 where it is none, or is shorter.
    mutating func truncate(_ id: String, part: Int, milliseconds: Int) throws {
        let place = try place(of: id, "item_id")
        guard case .message(.assistant, var parts) = items[place].kind, let transcript = spoken[id] else {
            throw APIError.invalid("item_id", "Only a spoken message of the assistant's can be truncated.")
        }
        guard parts.indices.contains(part), case .audio = parts[part] else {
            throw APIError.invalid("content_index", "The item has no sound at \(part).")
        }
        guard milliseconds <= transcript.length else {
            throw APIError.invalid("audio_end_ms", "The sound of the item is shorter: \(transcript.length) ms.")
        }
        parts[part] = .audio(transcript: transcript.heard(milliseconds))
        items[place].kind = .message(.assistant, parts)
    }

    /// What a chat model is to see. What is not understood, was heard as nothing or was broken off before it said anything is left out.
    var chatItems: [ResponseItem] { Self.chatItems(items) }

    static func chatItems(_ items: [RealtimeItem]) -> [ResponseItem] { items.compactMap(ResponseItem.init) }

    private func place(of id: String, _ param: String) throws -> Int {
        guard let place = items.firstIndex(where: { $0.id == id }) else {
            throw APIError(.notFound, "The conversation has no item '\(id.prefix(80))'.", param: param)
        }
        return place
    }
}

extension ResponseItem {
    fileprivate init?(_ item: RealtimeItem) {
        switch item.kind {
        case .message(let role, let parts):
            let content = parts.compactMap { part -> ChatPart? in
                if case .image(let url) = part { return .image(url: url) }
                return part.text.flatMap { $0.isEmpty ? nil : .text($0) }
            }
            guard !content.isEmpty else { return nil }
            let isText = content.allSatisfy { if case .text = $0 { true } else { false } }
            self.init(.message(role, isText ? .text(ChatContent.parts(content).text) : .parts(content)), json: JSONObject())
        case .functionCall(let callID, let name, let arguments):
            guard item.status == .completed else { return nil }
            self.init(.functionCall(id: callID, name: name, arguments: arguments), json: JSONObject())
        case .functionCallOutput(let callID, let output):
            self.init(.functionCallOutput(callID: callID, .text(output)), json: JSONObject())
        }
    }
}
