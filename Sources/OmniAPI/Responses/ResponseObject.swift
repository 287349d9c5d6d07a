/// A response of the Responses API.
public struct ResponseObject: WireObject {
    public enum Status: String, CaseIterable, Sendable { case inProgress = "in_progress", completed, incomplete, failed }

    public var id = ""
    public var object = "response"
    /// Seconds since 1970.
    public var createdAt = 0
    public var completedAt: Int?
    public var status = Status.inProgress
    public var background: Bool? = false
    public var error: JSONValue?
    public var incompleteDetails: JSONValue?
    public var model = ""
    public var output: [JSONValue] = []
    public var usage: JSONValue?
    /// What was asked.
    public var request = ResponsesRequest()

    public init() {}

    public static var fields: [Field<ResponseObject>] {
        [
            .sent("id", \.id, .string), .sent("object", \.object, .string),
            .sent("created_at", \.createdAt, .integer(), "Seconds since 1970."),
            .always("completed_at", \.completedAt, .integer()), .sent("status", \.status, .choice),
            .always("background", \.background, .bool),
            .always("error", \.error, .any), .always("incomplete_details", \.incompleteDetails, .any),
            .always("instructions", \.request.instructions, .string), .always("max_output_tokens", \.request.maxOutputTokens, .integer()),
            .sent("model", \.model, .string), .sent("output", \.output, .list(of: .any)),
            .sent("parallel_tool_calls", \.request.parallelToolCalls, .bool),
            .always("previous_response_id", \.request.previousResponseID, .string),
            .always("reasoning", \.request.reasoning, .object()), .sent("store", \.request.store, .bool),
            .always("temperature", \.request.temperature, .number()),
            .sent("text", \.request.text, .echoedText), .sent("tool_choice", \.request.toolChoice, .responseToolChoice),
            .sent("tools", \.request.tools, .list(of: .echoedTool)), .always("top_logprobs", \.request.topLogprobs, .integer()),
            .always("top_p", \.request.topP, .number()), .sent("truncation", \.request.truncation, .choice),
            .always("usage", \.usage, .any),
            .always("user", \.request.user, .string), .sent("metadata", \.request.metadata, .metadata),
        ]
    }
}

extension WireType where Value == ResponseText {
    /// The format is said also where it is text.
    fileprivate static var echoedText: WireType {
        WireType(
            decode: object().decode,
            encode: { text in
                var json = JSONObject([("format", WireType<ResponseFormat>.responseTextFormat.encode(text.format))])
                if let verbosity = text.verbosity { json.append("verbosity", .string(verbosity)) }
                return .object(json)
            }, schema: object().schema)
    }
}

extension WireType where Value == ResponseTool {
    /// Every member, null where it was not given.
    fileprivate static var echoedTool: WireType {
        WireType(
            decode: object().decode,
            encode: { tool in
                [
                    "type": .string(tool.type), "name": .string(tool.name), "description": .string(tool.description),
                    "parameters": tool.parameters.map { .object($0) } ?? .null, "strict": tool.strict.map { .bool($0) } ?? .null,
                ]
            }, schema: object().schema)
    }
}

/// One event of a streamed response.
public struct ResponseEvent: WireObject, Equatable {
    public var type = ""
    public var sequenceNumber = 0

    public init() {}
    public static var fields: [Field<ResponseEvent>] {
        [
            .sent("type", \.type, .string, "response.created, response.output_text.delta, response.completed and so on."),
            .sent("sequence_number", \.sequenceNumber, .integer(0 ... .max)),
        ]
    }
}

/// The reply of `DELETE /v1/responses/{id}`.
public struct ResponseDeleted: WireObject, Equatable {
    public var id = ""
    public var object = "response"
    public var deleted = true

    public init() {}
    public static var fields: [Field<ResponseDeleted>] {
        [.sent("id", \.id, .string), .sent("object", \.object, .string), .sent("deleted", \.deleted, .bool)]
    }
}

/// The reply of `GET /v1/responses/{id}/input_items`.
public struct ResponseItemList: WireObject, Equatable {
    public var object = "list"
    public var data: [JSONValue] = []
    public var firstID: String?
    public var lastID: String?
    public var hasMore = false

    public init() {}
    public static var fields: [Field<ResponseItemList>] {
        [
            .sent("object", \.object, .string), .sent("data", \.data, .list(of: .any)), .always("first_id", \.firstID, .string),
            .always("last_id", \.lastID, .string), .sent("has_more", \.hasMore, .bool),
        ]
    }
}

/// The query of `GET /v1/responses/{id}/input_items`.
public struct ResponseItemQuery: WireObject {
    public enum Order: String, CaseIterable, Sendable { case ascending = "asc", descending = "desc" }

    public var after: String?
    public var limit = 20
    public var order = Order.descending

    public init() {}
    public static var fields: [Field<ResponseItemQuery>] {
        [
            .optional("after", \.after, .string, "The id of the item after which the list begins."),
            .with(default: 20, "limit", \.limit, .integer(1...100)),
            .with(default: .descending, "order", \.order, .choice),
        ]
    }
}
