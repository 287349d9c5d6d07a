import HTTPTypes
import OmniAPI

/// The OpenAPI 3.1 document of a route table: what `/openapi.json` serves.
package struct OpenAPIDocument {
    package let json: JSONValue
    /// Names that two schemas bear; none, or the document says something wrong.
    package let clashes: [String]

    package init(_ table: RouteTable, sockets: WebSocketRoutes, version: String) {
        let book = SchemaRegistry()
        var paths = JSONObject()
        for route in table.routes {
            let path = route.documentedPath
            var item = paths[path]?.objectValue ?? JSONObject()
            item[route.method.rawValue.lowercased()] = Self.operation(route, book)
            paths[path] = .object(item)
        }
        let (schemas, clashes) = book.components()
        self.clashes = clashes
        json = [
            "openapi": "3.1.0",
            "info": [
                "title": "swift-omni", "version": .string(version),
                "summary": "Chat, speech, pictures and videos behind one OpenAI-compatible API.",
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/"]],
            "tags": .array(RouteDoc.Chapter.allCases.map { ["name": .string($0.rawValue)] }),
            "paths": .object(paths),
            "components": [
                "schemas": .object(schemas),
                "securitySchemes": [
                    "key": [
                        "type": "http", "scheme": "bearer",
                        "description": "Needed under /v1 when the server runs with --api-key or --api-keys-file.",
                    ]
                ],
            ],
            "x-websockets": .object(JSONObject(sockets.summaries.map { ($0.path, ["summary": .string($0.summary)]) })),
        ]
    }

    private static func operation(_ route: RouteTable.Route, _ book: SchemaRegistry) -> JSONValue {
        let doc = route.doc
        var operation = JSONObject([
            ("operationId", .string(route.operationID)), ("summary", .string(doc.summary)), ("tags", [.string(doc.chapter.rawValue)]),
        ])
        let isLocked = AccessGate.isLocked(route.path)
        // Without a key configured the server is open: either holds.
        operation["security"] = isLocked ? [["key": []], [:]] : []
        if !doc.parameters.isEmpty {
            operation["parameters"] = .array(book.collecting { doc.parameters.map(Self.parameter) })
        }
        if !doc.bodies.isEmpty {
            var content = JSONObject()
            for body in doc.bodies {
                var media = JSONObject([("schema", body.schema.json(book))])
                if let example = body.example { media["example"] = example }
                content[body.mediaType] = .object(media)
            }
            operation["requestBody"] = ["required": .bool(doc.bodyIsRequired), "content": .object(content)]
        }
        operation["responses"] = responses(doc, isLocked: isLocked, ErrorShape(path: route.path), book)
        return .object(operation)
    }

    private static func parameter(_ parameter: RouteDoc.Parameter) -> JSONValue {
        var schema = parameter.schema().objectValue ?? JSONObject()
        let about = schema["description"]
        schema["description"] = nil
        var members = JSONObject([
            ("name", .string(parameter.name)), ("in", .string(parameter.place)), ("required", .bool(parameter.isRequired)),
        ])
        if let about { members["description"] = about }
        members["schema"] = .object(schema)
        return .object(members)
    }

    private static func responses(_ doc: RouteDoc, isLocked: Bool, _ shape: ErrorShape, _ book: SchemaRegistry) -> JSONValue {
        var responses: [Int: JSONObject] = [:]
        for answer in doc.answers {
            var response =
                responses[answer.status] ?? JSONObject([("description", .string(answer.about.isEmpty ? "Success." : answer.about))])
            if let type = answer.mediaType, let schema = answer.schema {
                var content = response["content"]?.objectValue ?? JSONObject()
                content[type] = ["schema": schema.json(book)]
                response["content"] = .object(content)
            }
            if !doc.headers.isEmpty {
                response["headers"] = .object(
                    JSONObject(doc.headers.map { ($0.name, ["description": .string($0.about), "schema": ["type": "string"]]) }))
            }
            responses[answer.status] = response
        }
        let codes = doc.errors + [.internalError] + (isLocked ? [.unauthorized, .invalidAPIKey, .permissionDenied, .rateLimited] : [])
        for (status, codes) in Dictionary(grouping: codes, by: shape.status) {
            let failure = Self.failure(codes, shape, book)
            guard var both = responses[status] else {
                responses[status] = failure
                continue
            }
            // A status that is an answer here and an error there.
            let schemas = [both["content"]?["application/json"]?["schema"], failure["content"]?["application/json"]?["schema"]].compactMap {
                $0
            }
            both["content"] = ["application/json": ["schema": ["anyOf": .array(schemas)]]]
            responses[status] = both
        }
        return .object(JSONObject(responses.sorted { $0.key < $1.key }.map { (String($0.key), .object($0.value)) }))
    }

    private static func failure(_ codes: [APIError.Code], _ shape: ErrorShape, _ book: SchemaRegistry) -> JSONObject {
        let types = codes.map(shape.type).uniqued()
        let status = codes[0].status
        let schema: JSONValue =
            switch shape {
            // The one reply outside the envelope, which is the peer's.
            case .openAI where status == 401:
                [
                    "anyOf": [
                        ["type": "object", "required": ["error"], "properties": ["error": ["const": "Unauthorized"]]],
                        book.reference(ErrorReply.self),
                    ]
                ]
            case .openAI: book.reference(ErrorReply.self)
            case .anthropic: book.reference(MessageErrorReply.self)
            case .ollama: book.reference(OllamaError.self)
            }
        var response = JSONObject([
            ("description", .string("\(meanings[status] ?? "An error.") `type` is \(types.map { "`\($0)`" }.joined(separator: " or "))."))
        ])
        response["content"] = ["application/json": ["schema": schema, "example": example(codes[0], shape)]]
        if [429, 503].contains(status) {
            response["headers"] = ["Retry-After": ["description": "Seconds after which to try again.", "schema": ["type": "integer"]]]
        }
        return response
    }

    private static let meanings = [
        400: "The request is wrong; `param` names the field.", 401: "A valid API key is required.",
        403: "The key, or the page that calls, may not do this.",
        404: "What the request names does not exist.",
        405: "The path does not take this method.", 409: "It cannot be done in the state that things are in.",
        413: "Something is over a limit; the message names it.",
        422: "What was asked for has failed.", 429: "The key is over its rate limit; `Retry-After` says when to come back.",
        500: "Something broke in the server; its log has the request id.",
        501: "This server cannot do it.",
        503: "The queue is full, or the model is loading or being restarted.", 504: "It took too long.",
        507: "It would not fit into memory, or onto the disk; the message says what would.",
    ]

    private static func example(_ code: APIError.Code, _ shape: ErrorShape) -> JSONValue {
        let error =
            switch code.status {
            case 400: APIError(code, "temperature: must be from 0.0 to 1000.0, not -1.0.", param: "body.temperature")
            case 404: APIError.modelNotFound("gpt-5", served: ["smollm2-135m-instruct"])
            case 503: APIError(code, "The model `joe` is loading (40 %).", remedy: "Try again in a moment.")
            default: APIError(code, meanings[code.status] ?? "")
            }
        return shape.json(error)
    }
}

extension RouteTable.Route {
    /// With `{name}` for the rest of the path too.
    package var documentedPath: String { doc.path ?? path }

    /// `post_v1_chat_completions`.
    package var operationID: String {
        let words = documentedPath.split { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "." }
        return ([method.rawValue.lowercased()] + words.map(String.init)).joined(separator: "_")
    }
}
