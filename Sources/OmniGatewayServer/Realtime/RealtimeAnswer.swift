import OmniAPI
import OmniHTTP

/// A response of a realtime session while it is made: a chat's chunks and the sound of its sentences become items and events. A pure value.
struct RealtimeAnswer {
    let plan: RealtimePlan
    private(set) var response: RealtimeResponse
    /// When its sentences sound.
    private(set) var spoken = SpokenTranscript()
    /// Bytes of sound so far, in the response's format.
    private var soundBytes = 0
    private var open: [Open] = []
    /// Whole items, by their index in the output.
    private var whole: [Int: RealtimeItem] = [:]
    private var usage: Usage?
    private var finish: String?

    /// An item that is being made.
    private struct Open {
        let index: Int
        /// Which call of the chat's answer it is; nil for its words.
        let call: Int?
        var item: RealtimeItem
    }

    init(_ plan: RealtimePlan, conversationID: String) {
        self.plan = plan
        response = plan.response(conversationID: conversationID)
    }

    var id: String { plan.id }
    /// The message that is being spoken or written, or was.
    private(set) var messageID: String?

    func created() -> JSONObject { RealtimeEvents.event("response.created", [("response", response.json)]) }

    // MARK: What comes

    mutating func add(_ chunk: ChatCompletionChunk, to conversation: inout RealtimeConversation) -> [JSONObject] {
        usage = chunk.usage ?? usage
        var events: [JSONObject] = []
        guard let choice = chunk.choices.first else { return events }
        if let text = choice.delta.content?.text, !text.isEmpty {
            if messageID == nil { begin(.message(.assistant, [Self.part("", plan)]), call: nil, &conversation, &events) }
            change(nil, in: &conversation) { [plan] in $0.kind = .message(.assistant, [Self.part($0.text + text, plan)]) }
            events.append(
                inPart(plan.speaks ? "response.output_audio_transcript.delta" : "response.output_text.delta", [("delta", .string(text))]))
        }
        for call in choice.delta.toolCalls ?? [] {
            if !open.contains(where: { $0.call == call.index }) {
                closeCalls(&conversation, &events)
                let callID = call.id ?? RequestID.make("call_", digits: 24)
                begin(
                    .functionCall(callID: callID, name: call.function?.name ?? "", arguments: ""), call: call.index, &conversation, &events)
            }
            guard let more = call.function?.arguments, !more.isEmpty else { continue }
            change(call.index, in: &conversation) { item in
                guard case .functionCall(let id, let name, let arguments) = item.kind else { return }
                item.kind = .functionCall(callID: id, name: name, arguments: arguments + more)
            }
            events.append(inCall("response.function_call_arguments.delta", call.index, [("delta", .string(more))]))
        }
        finish = choice.finishReason ?? finish
        return events
    }

    /// A sentence begins to sound.
    mutating func begin(sentence: String) { spoken.begin(sentence) }

    /// The next bytes of its sound, in the response's format.
    mutating func add(sound: [UInt8]) -> [JSONObject] {
        guard !sound.isEmpty, messageID != nil else { return [] }
        soundBytes += sound.count
        spoken.extend(to: plan.audio.format.milliseconds(bytes: soundBytes))
        return [inPart("response.output_audio.delta", [("delta", .string(sound.base64))])]
    }

    /// All of the text and all of the sound has come.
    mutating func end(_ conversation: inout RealtimeConversation) -> [JSONObject] {
        let isCut = finish == "length" || finish == "content_filter"
        let reason: RealtimeResponse.Reason? = isCut ? (finish == "length" ? .maxOutputTokens : .contentFilter) : nil
        return close(isCut ? .incomplete : .completed, reason: reason, &conversation)
    }

    /// It ends before its time.
    mutating func close(
        _ status: RealtimeResponse.Status, reason: RealtimeResponse.Reason? = nil, error: APIError? = nil,
        _ conversation: inout RealtimeConversation
    ) -> [JSONObject] {
        var events: [JSONObject] = []
        let left: RealtimeItem.Status = status == .completed ? .completed : .incomplete
        while let next = open.first { close(next, left, &conversation, &events) }
        response.end(status, reason: reason, error: error)
        response.usage = (usage ?? Usage()).realtimeJSON
        response.output = whole.sorted { $0.key < $1.key }.map(\.value.json)
        events.append(RealtimeEvents.event("response.done", [("response", response.json)]))
        return events
    }

    // MARK: Items

    private static func part(_ text: String, _ plan: RealtimePlan) -> RealtimeItem.Part {
        plan.speaks ? .audio(transcript: text) : .text(text)
    }

    private mutating func begin(
        _ kind: RealtimeItem.Kind, call: Int?, _ conversation: inout RealtimeConversation, _ events: inout [JSONObject]
    ) {
        let item = RealtimeItem(id: RequestID.make("item_", digits: 24), kind, status: .inProgress)
        let entry = Open(index: open.count + whole.count, call: call, item: item)
        open.append(entry)
        var empty = item
        if call == nil {
            messageID = item.id
            empty.kind = .message(.assistant, [])
        }
        events.append(place("response.output_item.added", entry, [("item", empty.json)], named: false))
        if plan.isInConversation {
            events.append(
                RealtimeEvents.event("conversation.item.added", [("previous_item_id", .string(conversation.lastID)), ("item", empty.json)]))
            conversation.append(item)
        }
        if call == nil { events.append(inPart("response.content_part.added", [("part", wirePart(""))])) }
    }

    private mutating func change(_ call: Int?, in conversation: inout RealtimeConversation, _ change: (inout RealtimeItem) -> Void) {
        guard let place = open.firstIndex(where: { $0.call == call }) else { return }
        change(&open[place].item)
        conversation.change(open[place].item.id) { $0 = open[place].item }
    }

    private mutating func closeCalls(_ conversation: inout RealtimeConversation, _ events: inout [JSONObject]) {
        while let call = open.first(where: { $0.call != nil }) { close(call, .completed, &conversation, &events) }
    }

    private mutating func close(
        _ entry: Open, _ status: RealtimeItem.Status, _ conversation: inout RealtimeConversation, _ events: inout [JSONObject]
    ) {
        var item = entry.item
        item.status = status
        switch item.kind {
        case .functionCall(_, let name, let arguments):
            events.append(
                inCall("response.function_call_arguments.done", entry.call, [("name", .string(name)), ("arguments", .string(arguments))]))
        default:
            if plan.speaks {
                events.append(inPart("response.output_audio.done"))
                events.append(inPart("response.output_audio_transcript.done", [("transcript", .string(item.text))]))
            } else {
                events.append(inPart("response.output_text.done", [("text", .string(item.text))]))
            }
            events.append(inPart("response.content_part.done", [("part", wirePart(item.text))]))
        }
        open.removeAll { $0.index == entry.index }
        whole[entry.index] = item
        if plan.isInConversation {
            conversation.change(item.id) { $0 = item }
            if entry.call == nil, plan.speaks { conversation.keep(spoken, of: item.id) }
            events.append(
                RealtimeEvents.event(
                    "conversation.item.done", [("previous_item_id", .string(conversation.previous(of: item.id))), ("item", item.json)]))
        }
        events.append(place("response.output_item.done", entry, [("item", item.json)], named: false))
    }

    private func wirePart(_ text: String) -> JSONValue {
        plan.speaks ? ["type": "audio", "transcript": .string(text)] : ["type": "text", "text": .string(text)]
    }

    // MARK: Events

    private func place(_ type: String, _ entry: Open, _ members: [(String, JSONValue)], named: Bool = true) -> JSONObject {
        let id: [(String, JSONValue)] = named ? [("item_id", .string(entry.item.id))] : []
        return RealtimeEvents.event(type, [("response_id", .string(self.id))] + id + [("output_index", .int(entry.index))] + members)
    }

    /// An event of the message's one part.
    private func inPart(_ type: String, _ members: [(String, JSONValue)] = []) -> JSONObject {
        guard let entry = open.first(where: { $0.call == nil }) else { return JSONObject() }
        return place(type, entry, [("content_index", 0)] + members)
    }

    private func inCall(_ type: String, _ call: Int?, _ members: [(String, JSONValue)]) -> JSONObject {
        guard let entry = open.first(where: { $0.call == call }), case .functionCall(let callID, _, _) = entry.item.kind else {
            return JSONObject()
        }
        return place(type, entry, [("call_id", .string(callID))] + members)
    }
}

/// Events of a realtime session, without their ids, which they get as they go out.
enum RealtimeEvents {
    static func event(_ type: String, _ members: [(String, JSONValue)]) -> JSONObject { JSONObject([("type", .string(type))] + members) }

    /// - Parameter eventID: of the client's event at fault.
    static func error(_ error: APIError, answering eventID: String? = nil) -> JSONObject {
        event("error", [("error", error.realtimeJSON(eventID: eventID))])
    }
}
