/// One item of a response's input or output: a message, a call, a call's result, or thoughts.
public struct ResponseItem: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case message(ChatMessage.Role, ChatContent)
        /// `id` is the call's, by which its result names it.
        case functionCall(id: String, name: String, arguments: String)
        case functionCallOutput(callID: String, ChatContent)
        case reasoning(String)
    }

    public var kind: Kind
    /// As it came, or as it goes out.
    public var json: JSONObject

    public init(_ kind: Kind, json: JSONObject) {
        self.kind = kind
        self.json = json
    }

    /// The id of the item; empty where a client left it out.
    public var id: String { json["id"]?.stringValue ?? "" }

    private static let known = "message, function_call, function_call_output or reasoning"

    public init(json: JSONValue, at path: WirePath) throws {
        guard case .object(let object) = json else { throw APIError.field(path, "must be an item, not \(json.typeName).") }
        func string(_ name: String) throws -> String {
            guard let text = object[name]?.stringValue else { throw APIError.field(path.appending(name), "must be a string.") }
            return text
        }
        self.json = object
        switch object["type"]?.stringValue ?? (object["role"] == nil ? nil : "message") {
        case "message":
            guard let role = ChatMessage.Role(rawValue: try string("role")), [.user, .assistant, .system, .developer].contains(role) else {
                throw APIError.field(path.appending("role"), "must be user, assistant, system or developer.")
            }
            kind = .message(role, try Self.content(object["content"], path.appending("content")))
            self.json["type"] = "message"
        case "function_call": kind = .functionCall(id: try string("call_id"), name: try string("name"), arguments: try string("arguments"))
        case "function_call_output":
            kind = .functionCallOutput(callID: try string("call_id"), try Self.content(object["output"], path.appending("output")))
        case "reasoning":
            let parts = (object["content"]?.arrayValue ?? []) + (object["summary"]?.arrayValue ?? [])
            kind = .reasoning(parts.compactMap { $0["text"]?.stringValue }.joined(separator: "\n"))
        case "item_reference":
            throw APIError.field(
                path, "is an item_reference, which is not supported: send the item itself, or name the response with previous_response_id.")
        default:
            throw APIError.field(path.appending("type"), "must be \(Self.known); not \((object["type"] ?? .null).short).")
        }
    }

    private static func content(_ json: JSONValue?, _ path: WirePath) throws -> ChatContent {
        switch json {
        case .string(let text): return .text(text)
        case .array(let parts):
            let parts = try parts.enumerated().map { place, part in try Self.part(part, path.appending(place)) }
            // Templates of many models take plain text only.
            guard parts.contains(where: { if case .text = $0 { false } else { true } }) else { return .text(ChatContent.parts(parts).text) }
            return .parts(parts)
        default: throw APIError.field(path, "must be text or a list of content parts.")
        }
    }

    private static func part(_ json: JSONValue, _ path: WirePath) throws -> ChatPart {
        switch json["type"]?.stringValue {
        case "input_text", "output_text", "text", "refusal", "input_image", "input_audio":
            if json["file_id"]?.stringValue != nil {
                throw APIError.field(path.appending("file_id"), "is not supported: this server keeps no files. Send an image_url.")
            }
            return try WireType<ChatPart>.chatPart.decode(json, path)
        case "input_file":
            throw APIError.field(
                path, "is an input_file, which no model here reads. Send its text as input_text, or its pages as input_image.")
        default:
            throw APIError.field(
                path.appending("type"),
                "must be input_text, input_image, input_audio, output_text or refusal; not \((json["type"] ?? .null).short).")
        }
    }
}

extension WireType where Value == [ResponseItem] {
    /// Text, which is a user's message, or a list of items.
    static var responseInput: WireType {
        WireType(
            decode: { json, path in
                switch json {
                case .string(let text):
                    return [
                        ResponseItem(
                            .message(.user, .text(text)),
                            json: JSONObject([
                                ("type", "message"), ("role", "user"), ("content", [["type": "input_text", "text": .string(text)]]),
                            ]))
                    ]
                case .array(let items):
                    guard !items.isEmpty else { throw APIError.field(path, "must have at least one item.") }
                    return try items.enumerated().map { place, item in try ResponseItem(json: item, at: path.appending(place)) }
                default: throw APIError.field(path, "must be text or a list of items, not \(json.typeName).")
                }
            },
            encode: { .array($0.map { .object($0.json) }) },
            schema: {
                let text: JSONValue = ["type": "string"]
                let content: JSONValue = ["oneOf": [text, ["type": "array", "items": ["type": "object"]]]]
                let roles: JSONValue = ["type": "string", "enum": ["user", "assistant", "system", "developer"]]
                let items: JSONValue = [
                    "oneOf": [
                        [
                            "type": "object", "required": ["role", "content"],
                            "properties": ["type": ["const": "message"], "role": roles, "content": content],
                        ],
                        [
                            "type": "object", "required": ["type", "call_id", "name", "arguments"],
                            "properties": ["type": ["const": "function_call"], "call_id": text, "name": text, "arguments": text],
                        ],
                        [
                            "type": "object", "required": ["type", "call_id", "output"],
                            "properties": ["type": ["const": "function_call_output"], "call_id": text, "output": content],
                        ],
                        [
                            "type": "object", "required": ["type"],
                            "properties": ["type": ["const": "reasoning"], "content": ["type": "array", "items": ["type": "object"]]],
                        ],
                    ]
                ]
                return ["oneOf": [text, ["type": "array", "items": items, "minItems": 1]]]
            })
    }
}
