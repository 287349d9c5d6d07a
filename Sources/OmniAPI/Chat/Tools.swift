/// A function that the model may call.
public struct Tool: WireObject, Equatable {
    public var type = "function"
    public var function = Function()

    public init() {}

    public struct Function: WireObject, Equatable {
        public var name = ""
        public var description: String?
        /// JSON Schema of the arguments.
        public var parameters: JSONObject?
        public var strict: Bool?

        public static var schemaName: String { "ToolFunction" }
        public init() {}

        public static var fields: [Field<Function>] {
            [
                .required("name", \.name, .string(length: 1...256)),
                .optional("description", \.description, .string),
                .optional("parameters", \.parameters, .openObject),
                .optional("strict", \.strict, .bool),
            ]
        }
    }

    private static func unknown(_ type: String) -> String {
        type == "custom"
            ? "must be `function`: tools of type `custom` are not supported. A `function` whose parameters are an object with one string does the same."
            : "must be `function`."
    }

    public static var fields: [Field<Tool>] {
        [
            .required("type", \.type, .string.checked { $0 == "function" ? nil : Self.unknown($0) }),
            .required("function", \.function, .object()),
        ]
    }
}

/// A call that the model made.
public struct ToolCall: WireObject, Equatable {
    public var id: String = ""
    public var type = "function"
    public var function = Function()

    public init() {}

    public init(id: String, name: String, arguments: String) {
        self.id = id
        function.name = name
        function.arguments = arguments
    }

    public struct Function: WireObject, Equatable {
        public var name = ""
        /// The arguments as JSON text, as the model wrote them.
        public var arguments = ""

        public static var schemaName: String { "ToolCallFunction" }
        public init() {}

        public static var fields: [Field<Function>] {
            [.required("name", \.name, .string), .required("arguments", \.arguments, .string)]
        }
    }

    public static var fields: [Field<ToolCall>] {
        [.required("id", \.id, .string), .required("type", \.type, .string), .required("function", \.function, .object())]
    }
}

/// Which tools the model may or must call.
public enum ToolChoice: Sendable, Equatable {
    case none
    case auto
    case required
    case function(String)
    /// One of these at most, or one at least.
    case allowed([String], isRequired: Bool)

    /// Whether the answer must be a call.
    public var isForced: Bool {
        switch self {
        case .required, .function, .allowed(_, isRequired: true): true
        case .none, .auto, .allowed: false
        }
    }

    /// The functions that may be called; nil for all that the request brings.
    public var names: [String]? {
        switch self {
        case .function(let name): [name]
        case .allowed(let names, _): names
        case .none, .auto, .required: nil
        }
    }
}

extension WireType where Value == ToolChoice {
    static var toolChoice: WireType {
        WireType(
            decode: { json, path in
                switch json {
                case .string("none"): return .none
                case .string("auto"): return .auto
                case .string("required"): return .required
                default:
                    if json["type"]?.stringValue == "allowed_tools" { return try allowed(json["allowed_tools"] ?? json, path) }
                    guard json["type"]?.stringValue == "function", let name = json["function"]?["name"]?.stringValue else {
                        throw APIError.field(
                            path,
                            "must be none, auto, required, {\"type\":\"function\",\"function\":{\"name\":…}}, "
                                + "or {\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":…,\"tools\":[…]}}.")
                    }
                    return .function(name)
                }
            },
            encode: { choice in
                switch choice {
                case .none: "none"
                case .auto: "auto"
                case .required: "required"
                case .function(let name): ["type": "function", "function": ["name": .string(name)]]
                case .allowed(let names, let isRequired):
                    [
                        "type": "allowed_tools",
                        "allowed_tools": [
                            "mode": isRequired ? "required" : "auto",
                            "tools": .array(names.map { ["type": "function", "function": ["name": .string($0)]] }),
                        ],
                    ]
                }
            },
            schema: {
                [
                    "oneOf": [
                        ["type": "string", "enum": ["none", "auto", "required"]],
                        [
                            "type": "object", "required": ["type", "function"],
                            "properties": [
                                "type": ["const": "function"],
                                "function": ["type": "object", "required": ["name"], "properties": ["name": ["type": "string"]]],
                            ],
                        ],
                        [
                            "type": "object", "required": ["type", "allowed_tools"],
                            "properties": [
                                "type": ["const": "allowed_tools"],
                                "allowed_tools": [
                                    "type": "object", "required": ["mode", "tools"],
                                    "properties": [
                                        "mode": ["type": "string", "enum": ["auto", "required"]],
                                        "tools": ["type": "array", "items": ["type": "object"], "minItems": 1],
                                    ],
                                ],
                            ],
                        ],
                    ]
                ]
            })
    }

    private static func allowed(_ json: JSONValue, _ path: WirePath) throws -> ToolChoice {
        guard let mode = json["mode"]?.stringValue, ["auto", "required"].contains(mode) else {
            throw APIError.field(path, "of type allowed_tools needs a `mode` of auto or required.")
        }
        let names = try (json["tools"]?.arrayValue ?? []).map { tool in
            guard tool["type"] == "function", let name = (tool["function"]?["name"] ?? tool["name"])?.stringValue else {
                throw APIError.field(path, "of type allowed_tools takes tools as {\"type\":\"function\",\"function\":{\"name\":…}}.")
            }
            return name
        }
        guard !names.isEmpty else { throw APIError.field(path, "of type allowed_tools needs at least one of the `tools`.") }
        return .allowed(names, isRequired: mode == "required")
    }
}

/// The form that the answer must have.
public enum ResponseFormat: Sendable, Equatable {
    case text
    /// Any JSON object.
    case jsonObject
    /// JSON that follows a schema.
    case jsonSchema(name: String, schema: JSONObject)
    /// Text of a form; requests ask for it elsewhere (``AnswerForm``).
    case constrained(AnswerConstraint)
}

extension WireType where Value == ResponseFormat {
    static var responseFormat: WireType {
        WireType(
            decode: { json, path in
                switch json["type"]?.stringValue {
                case "text": return .text
                case "json_object": return .jsonObject
                case "json_schema":
                    guard let schema = json["json_schema"]?["schema"]?.objectValue else {
                        throw APIError.field(path, "of type json_schema needs `json_schema` with a `schema` object.")
                    }
                    return .jsonSchema(name: json["json_schema"]?["name"]?.stringValue ?? "answer", schema: schema)
                default: throw APIError.field(path, "must have a `type` of text, json_object or json_schema.")
                }
            },
            encode: { format in
                switch format {
                case .text, .constrained: ["type": "text"]
                case .jsonObject: ["type": "json_object"]
                case .jsonSchema(let name, let schema):
                    ["type": "json_schema", "json_schema": ["name": .string(name), "schema": .object(schema)]]
                }
            },
            schema: {
                [
                    "type": "object", "required": ["type"],
                    "properties": [
                        "type": ["type": "string", "enum": ["text", "json_object", "json_schema"]],
                        "json_schema": ["type": "object", "properties": ["name": ["type": "string"], "schema": ["type": "object"]]],
                    ],
                ]
            })
    }
}
