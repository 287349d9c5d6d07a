/// One block of a message's content in Anthropic's Messages API.
public enum MessageBlock: Sendable, Equatable {
    case text(String)
    /// A `data:` or http(s) URL of a picture.
    case image(url: String)
    /// What the model thought before it answered.
    case thinking(String)
    /// Thoughts that only their author can read.
    case redactedThinking
    /// A call that the model made.
    case toolUse(id: String, name: String, input: JSONObject)
    /// What a call brought: texts and pictures.
    case toolResult(toolUseID: String, content: [MessageBlock], isError: Bool)

    /// The texts among `blocks`, one below the other.
    public static func text(of blocks: [MessageBlock]) -> String {
        blocks.compactMap { if case .text(let text) = $0 { text } else { nil } }.joined(separator: "\n")
    }

    fileprivate static let known = "text, image, document, search_result, thinking, redacted_thinking, tool_use, tool_result"

    fileprivate init(_ object: JSONObject, at path: WirePath) throws {
        func string(_ name: String) throws -> String {
            guard let text = object[name]?.stringValue else { throw APIError.field(path.appending(name), "must be a string.") }
            return text
        }
        switch object["type"]?.stringValue {
        case "text": self = .text(try string("text"))
        case "image": self = .image(url: try Self.picture(object["source"] ?? .null, path.appending("source")))
        case "document": self = .text(try Self.document(object, path.appending("source")))
        case "search_result":
            let content = try WireType<[MessageBlock]>.messageContent.decode(object["content"] ?? .null, path.appending("content"))
            self = .text(
                [object["title"]?.stringValue, object["source"]?.stringValue, Self.text(of: content)].compactMap(\.self).joined(
                    separator: "\n"))
        case "thinking": self = .thinking(try string("thinking"))
        case "redacted_thinking": self = .redactedThinking
        case "tool_use":
            guard let input = object["input"]?.objectValue else { throw APIError.field(path.appending("input"), "must be an object.") }
            self = .toolUse(id: try string("id"), name: try string("name"), input: input)
        case "tool_result":
            let content =
                try (object["content"] ?? .null).isNull
                ? [] : WireType<[MessageBlock]>.messageContent.decode(object["content"] ?? .null, path.appending("content"))
            for case let (place, block) in content.enumerated() where !block.isResult {
                throw APIError.field(path.appending("content").appending(place), "of a tool_result is text, an image or a document.")
            }
            self = .toolResult(toolUseID: try string("tool_use_id"), content: content, isError: object["is_error"] == true)
        default:
            throw APIError.field(path.appending("type"), "must be one of \(Self.known); not \((object["type"] ?? .null).short).")
        }
    }

    /// Whether a tool can have brought it.
    private var isResult: Bool {
        switch self {
        case .text, .image: true
        default: false
        }
    }

    private static func picture(_ source: JSONValue, _ path: WirePath) throws -> String {
        switch source["type"]?.stringValue {
        case "url":
            guard let url = source["url"]?.stringValue else { throw APIError.field(path.appending("url"), "must be a string.") }
            return url
        case "base64":
            guard let type = source["media_type"]?.stringValue, let data = source["data"]?.stringValue else {
                throw APIError.field(path, "of type base64 needs `media_type` and `data`.")
            }
            return "data:\(type);base64,\(data)"
        default: throw APIError.field(path.appending("type"), "must be base64 or url: this server keeps no files.")
        }
    }

    private static func document(_ object: JSONObject, _ path: WirePath) throws -> String {
        let source = object["source"] ?? .null
        let text: String
        switch source["type"]?.stringValue {
        case "text":
            guard let data = source["data"]?.stringValue else { throw APIError.field(path.appending("data"), "must be a string.") }
            text = data
        case "content":
            text = Self.text(of: try WireType<[MessageBlock]>.messageContent.decode(source["content"] ?? .null, path.appending("content")))
        default:
            throw APIError.field(
                path.appending("type"), "must be text or content: no model here reads PDF files. Send their text, or their pages as images."
            )
        }
        return [object["title"]?.stringValue, object["context"]?.stringValue, text].compactMap(\.self).joined(separator: "\n")
    }

    var json: JSONValue {
        switch self {
        case .text(let text): ["type": "text", "text": .string(text)]
        case .image(let url): ["type": "image", "source": ["type": "url", "url": .string(url)]]
        case .thinking(let text): ["type": "thinking", "thinking": .string(text), "signature": ""]
        case .redactedThinking: ["type": "redacted_thinking", "data": ""]
        case .toolUse(let id, let name, let input): ["type": "tool_use", "id": .string(id), "name": .string(name), "input": .object(input)]
        case .toolResult(let id, let content, let isError):
            ["type": "tool_result", "tool_use_id": .string(id), "content": .array(content.map(\.json)), "is_error": .bool(isError)]
        }
    }
}

extension WireType where Value == [MessageBlock] {
    /// Text, or a list of blocks.
    static var messageContent: WireType {
        WireType(
            decode: { json, path in
                switch json {
                case .string(let text): return [.text(text)]
                case .array(let blocks):
                    return try blocks.enumerated().map { place, block in
                        guard case .object(let object) = block else {
                            throw APIError.field(path.appending(place), "must be a content block, not \(block.typeName).")
                        }
                        return try MessageBlock(object, at: path.appending(place))
                    }
                default: throw APIError.field(path, "must be text or a list of content blocks, not \(json.typeName).")
                }
            },
            encode: { .array($0.map(\.json)) },
            schema: { ["oneOf": [["type": "string"], ["type": "array", "items": blockSchema]]] })
    }

    private static var blockSchema: JSONValue {
        func block(_ type: String, _ members: [(String, JSONValue)], required: [String]) -> JSONValue {
            var properties = JSONObject([("type", ["const": .string(type)])])
            for (name, schema) in members { properties.append(name, schema) }
            return ["type": "object", "required": .array((["type"] + required).map { .string($0) }), "properties": .object(properties)]
        }
        let (text, content): (JSONValue, JSONValue) = (
            ["type": "string"], ["oneOf": [["type": "string"], ["type": "array", "items": ["type": "object"]]]]
        )
        return [
            "oneOf": [
                block("text", [("text", text)], required: ["text"]), block("image", [("source", ["type": "object"])], required: ["source"]),
                block("document", [("source", ["type": "object"]), ("title", text), ("context", text)], required: ["source"]),
                block("search_result", [("source", text), ("title", text), ("content", content)], required: ["content"]),
                block("thinking", [("thinking", text), ("signature", text)], required: ["thinking"]),
                block("redacted_thinking", [("data", text)], required: []),
                block("tool_use", [("id", text), ("name", text), ("input", ["type": "object"])], required: ["id", "name", "input"]),
                block(
                    "tool_result", [("tool_use_id", text), ("content", content), ("is_error", ["type": "boolean"])],
                    required: ["tool_use_id"]),
            ]
        ]
    }
}
