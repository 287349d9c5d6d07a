import OmniAPI

/// What one chunk of a chat model's stream says for an answer that is spoken.
struct SpokenChunk {
    /// The words of the first choice.
    private(set) var text = ""
    /// Its reason to end. The spoken answer ends later, with its sound.
    private(set) var finish: JSONValue?
    private(set) var usage: JSONValue?
    /// What `return_stage_metrics` tells of the text.
    private(set) var metrics: JSONValue?
    /// Pieces of its calls of tools.
    private(set) var calls: [ToolCallDelta] = []
    /// What of the chunk goes to the client at once: without the reason, and nil where that was all of it.
    private(set) var rest: JSONValue?

    init(_ chunk: JSONValue) {
        if let counts = chunk["usage"], !counts.isNull { usage = counts }
        if let times = chunk["metrics"], !times.isNull { metrics = times }
        var left: [JSONValue] = []
        for choice in chunk["choices"]?.arrayValue ?? [] {
            guard var members = choice.objectValue else { continue }
            let isFirst = (choice["index"]?.intValue ?? 0) == 0
            if isFirst {
                text += choice["delta"]?["content"]?.stringValue ?? ""
                calls += (choice["delta"]?["tool_calls"]?.arrayValue ?? []).compactMap { try? ToolCallDelta(json: $0) }
            }
            if let reason = choice["finish_reason"], !reason.isNull {
                if isFirst { finish = reason }
                // Some servers end with an empty delta, some in the chunk of the last words.
                guard Self.says(choice["delta"]) else { continue }
                members["finish_reason"] = .null
            }
            left.append(.object(members))
        }
        guard !left.isEmpty, var members = chunk.objectValue else { return }
        members["choices"] = .array(left)
        // Servers elsewhere know one modality only, and do not name it.
        if members["modality"] == nil { members["modality"] = "text" }
        rest = .object(members)
    }

    private static func says(_ delta: JSONValue?) -> Bool {
        (delta?.objectValue?.members ?? []).contains { member in
            switch member.value {
            case .null: false
            case .string(let text): !text.isEmpty && member.key != "role"
            case .array(let parts): !parts.isEmpty
            default: true
            }
        }
    }
}
