import OmniAPI
import OmniHTTP

/// A chat's chunks as a response: its events, one item after the other, and the whole of it at the end.
struct ResponseStream {
    private(set) var response: ResponseObject
    private var sequence = 0
    private var open: Item?
    private var usage = Usage()
    /// Completion tokens up to the end of the thoughts.
    private var reasoningTokens = 0
    private var finish: String?

    /// An item that is being written.
    private struct Item {
        enum Kind: Equatable {
            case reasoning, message
            /// The call with this index among the answer's calls.
            case functionCall(Int)
        }

        let kind: Kind
        let id: String
        /// Of a call.
        var callID = ""
        var name = ""
        /// Its text, or its arguments.
        var text = ""
        var logprobs: [JSONValue] = []
    }

    /// - Parameter now: seconds since 1970.
    init(_ request: ResponsesRequest, model: String, now: Int) {
        response = ResponseObject()
        response.id = RequestID.make("resp_", digits: 48)
        response.request = request
        response.model = model
        response.createdAt = now
    }

    /// The events before the first chunk.
    mutating func begin() -> [JSONValue] {
        ["response.created", "response.in_progress"].map { event($0, [("response", response.json)]) }
    }

    /// The events of the next chunk.
    mutating func push(_ chunk: ChatCompletionChunk) -> [JSONValue] {
        usage = chunk.usage ?? usage
        var events: [JSONValue] = []
        guard let choice = chunk.choices.first else { return events }
        let delta = choice.delta
        if let thoughts = delta.reasoning ?? delta.reasoningContent, !thoughts.isEmpty {
            start(.reasoning, "rs_", &events)
            reasoningTokens = usage.completionTokens
            open?.text += thoughts
            events.append(piece("response.reasoning_text.delta", thoughts))
        }
        if let text = delta.content?.text, !text.isEmpty {
            start(.message, "msg_", &events)
            let logprobs = (choice.logprobs?.content ?? []).map(\.json)
            open?.text += text
            open?.logprobs += logprobs
            events.append(piece("response.output_text.delta", text, [("logprobs", .array(logprobs))]))
        }
        for call in delta.toolCalls ?? [] {
            start(.functionCall(call.index), "fc_", callID: call.id, name: call.function?.name, &events)
            guard let arguments = call.function?.arguments, !arguments.isEmpty else { continue }
            open?.text += arguments
            events.append(piece("response.function_call_arguments.delta", arguments))
        }
        finish = choice.finishReason ?? finish
        return events
    }

    /// Ends the answer: the events of its last item. The last event of all is ``last()``, once the response is kept.
    mutating func end(now: Int) -> [JSONValue] {
        let isCut = finish == "length" || finish == "content_filter"
        var events: [JSONValue] = []
        close(&events, isCut: isCut)
        response.status = isCut ? .incomplete : .completed
        if isCut {
            response.incompleteDetails = ["reason": finish == "length" ? "max_output_tokens" : "content_filter"]
        } else {
            response.completedAt = now
        }
        response.usage = [
            "input_tokens": .int(usage.promptTokens),
            "input_tokens_details": ["cached_tokens": .int(usage.cachedTokens), "cache_write_tokens": 0],
            "output_tokens": .int(usage.completionTokens), "output_tokens_details": ["reasoning_tokens": .int(reasoningTokens)],
            "total_tokens": .int(usage.promptTokens + usage.completionTokens),
        ]
        return events
    }

    mutating func last() -> JSONValue { event("response.\(response.status.rawValue)", [("response", response.json)]) }

    /// The last event of an answer that broke.
    mutating func failure(_ error: APIError) -> JSONValue {
        response.status = .failed
        response.error = ["code": "server_error", "message": .string(error.fullMessage)]
        return last()
    }

    // MARK: Items

    private mutating func start(
        _ kind: Item.Kind, _ prefix: String, callID: String? = nil, name: String? = nil, _ events: inout [JSONValue]
    ) {
        guard open?.kind != kind else { return }
        close(&events)
        let item = Item(kind: kind, id: RequestID.make(prefix, digits: 48), callID: callID ?? "", name: name ?? "")
        open = item
        var empty = json(item, status: "in_progress")
        if empty["content"] != nil { empty["content"] = [] }
        events.append(event("response.output_item.added", [("output_index", .int(response.output.count)), ("item", .object(empty))]))
        if let part = part(item) { events.append(place("response.content_part.added", [("part", part)])) }
    }

    private mutating func close(_ events: inout [JSONValue], isCut: Bool = false) {
        guard let item = open else { return }
        switch item.kind {
        case .reasoning: events.append(place("response.reasoning_text.done", [("text", .string(item.text))]))
        case .message:
            events.append(place("response.output_text.done", [("text", .string(item.text)), ("logprobs", .array(item.logprobs))]))
        case .functionCall:
            events.append(
                place("response.function_call_arguments.done", [("name", .string(item.name)), ("arguments", .string(item.text))]))
        }
        if let part = part(item) { events.append(place("response.content_part.done", [("part", part)])) }
        let whole = JSONValue.object(json(item, status: isCut ? "incomplete" : "completed"))
        events.append(event("response.output_item.done", [("output_index", .int(response.output.count)), ("item", whole)]))
        response.output.append(whole)
        open = nil
    }

    /// The one content part of an item; a call has none.
    private func part(_ item: Item) -> JSONValue? {
        switch item.kind {
        case .reasoning: ["type": "reasoning_text", "text": .string(item.text)]
        case .message: ["type": "output_text", "text": .string(item.text), "annotations": [], "logprobs": .array(item.logprobs)]
        case .functionCall: nil
        }
    }

    private func json(_ item: Item, status: String) -> JSONObject {
        let content = part(item).map { JSONValue.array([$0]) }
        return switch item.kind {
        case .reasoning:
            JSONObject([
                ("id", .string(item.id)), ("type", "reasoning"), ("summary", []), ("content", content ?? []), ("status", .string(status)),
            ])
        case .message:
            JSONObject([
                ("id", .string(item.id)), ("type", "message"), ("status", .string(status)), ("role", "assistant"),
                ("content", content ?? []),
            ])
        case .functionCall:
            JSONObject([
                ("id", .string(item.id)), ("type", "function_call"), ("status", .string(status)), ("call_id", .string(item.callID)),
                ("name", .string(item.name)), ("arguments", .string(item.text)),
            ])
        }
    }

    // MARK: Events

    private mutating func event(_ type: String, _ members: [(String, JSONValue)]) -> JSONValue {
        defer { sequence += 1 }
        return .object(JSONObject([("type", .string(type)), ("sequence_number", .int(sequence))] + members))
    }

    /// An event of the open item; of its content where it has any.
    private mutating func place(_ type: String, _ members: [(String, JSONValue)]) -> JSONValue {
        var place: [(String, JSONValue)] = [("item_id", .string(open?.id ?? "")), ("output_index", .int(response.output.count))]
        if let open, part(open) != nil { place.append(("content_index", 0)) }
        return event(type, place + members)
    }

    private mutating func piece(_ type: String, _ delta: String, _ further: [(String, JSONValue)] = []) -> JSONValue {
        place(type, [("delta", .string(delta))] + further)
    }
}
