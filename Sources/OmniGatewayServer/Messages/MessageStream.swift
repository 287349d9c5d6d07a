import OmniAPI

/// A chat's chunks as the events of a streamed message: one block after the other, each with its start, pieces and end.
struct MessageStream {
    private enum Block: Equatable {
        case thinking, text
        /// The call with this index among the answer's calls.
        case toolUse(Int)
    }

    private let id = MessageReply.newID()
    private var hasStarted = false
    /// The block that is being written.
    private var open: Block?
    /// Blocks that have begun.
    private var count = 0
    private var usage = Usage()
    private var stop: (reason: String?, sequence: String?) = (nil, nil)

    /// The events of the next chunk.
    mutating func push(_ chunk: ChatCompletionChunk) -> [JSONValue] {
        usage = chunk.usage ?? usage
        var events: [JSONValue] = hasStarted ? [] : [start(chunk.model), ["type": "ping"]]
        hasStarted = true
        guard let choice = chunk.choices.first else { return events }
        let delta = choice.delta
        if let thoughts = delta.reasoning ?? delta.reasoningContent, !thoughts.isEmpty {
            begin(.thinking, ["type": "thinking", "thinking": "", "signature": ""], &events)
            events.append(piece(["type": "thinking_delta", "thinking": .string(thoughts)]))
        }
        if let text = delta.content?.text, !text.isEmpty {
            begin(.text, ["type": "text", "text": ""], &events)
            events.append(piece(["type": "text_delta", "text": .string(text)]))
        }
        for call in delta.toolCalls ?? [] {
            begin(
                .toolUse(call.index),
                ["type": "tool_use", "id": .string(call.id ?? ""), "name": .string(call.function?.name ?? ""), "input": [:]], &events)
            if let arguments = call.function?.arguments, !arguments.isEmpty {
                events.append(piece(["type": "input_json_delta", "partial_json": .string(arguments)]))
            }
        }
        if choice.finishReason != nil { stop = MessageReply.stop(choice.finishReason, choice.stopReason) }
        return events
    }

    /// The events after the last chunk.
    mutating func end() -> [JSONValue] {
        var events: [JSONValue] = []
        close(&events)
        events.append([
            "type": "message_delta", "delta": ["stop_reason": .string(stop.reason ?? "end_turn"), "stop_sequence": .string(stop.sequence)],
            "usage": MessageUsage(usage).json,
        ])
        events.append(["type": "message_stop"])
        return events
    }

    private func start(_ model: String) -> JSONValue {
        var message = MessageReply()
        message.id = id
        message.model = model
        message.usage = MessageUsage(usage)
        return ["type": "message_start", "message": message.json]
    }

    private mutating func begin(_ block: Block, _ content: JSONValue, _ events: inout [JSONValue]) {
        guard open != block else { return }
        close(&events)
        open = block
        count += 1
        events.append(["type": "content_block_start", "index": .int(count - 1), "content_block": content])
    }

    private func piece(_ delta: JSONValue) -> JSONValue { ["type": "content_block_delta", "index": .int(count - 1), "delta": delta] }

    private mutating func close(_ events: inout [JSONValue]) {
        guard open != nil else { return }
        open = nil
        events.append(["type": "content_block_stop", "index": .int(count - 1)])
    }
}
