import OmniAPI

/// `/v1/chat/completions/batch`: `messages` is a list of conversations, every other field holds for all.
package struct ChatBatch {
    /// One ordinary request per conversation.
    package let requests: [JSONValue]

    package init(_ json: JSONValue) throws {
        guard case .object(let object) = json else { throw APIError.field(.body, "must be an object.") }
        let path = WirePath.body.appending("messages")
        guard let conversations = object["messages"]?.arrayValue, !conversations.isEmpty, conversations.count <= 256 else {
            throw APIError.field(path, "must be a list of 1 to 256 conversations.")
        }
        requests = try conversations.enumerated().map { place, messages in
            guard case .array = messages else { throw APIError.field(path.appending(place), "must be a list of messages.") }
            var single = object
            single["messages"] = messages
            single["stream"] = nil
            single["stream_options"] = nil
            return .object(single)
        }
    }
}
