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

    public static var fields: [Field<Tool>] {
        [
            .required("type", \.type, .string.checked { $0 == "function" ? nil : "must be `function`." }),
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
                    guard json["type"]?.stringValue == "function", let name = json["function"]?["name"]?.stringValue else {
                        throw APIError.field(path, "must be none, auto, required, or {\"type\":\"function\",\"function\":{\"name\":…}}.")
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
                    ]
                ]
            })
    }
}

/// The form that the answer must have.
public enum ResponseFormat: Sendable, Equatable {
    case text
    /// Any JSON object.
    case jsonObject
    /// JSON that follows a schema.
    case jsonSchema(name: String, schema: JSONObject)
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
                case .text: ["type": "text"]
                case .jsonObject: ["type": "json_object"]
                case .jsonSchema(let name, let schema): ["type": "json_schema", "json_schema": ["name": .string(name), "schema": .object(schema)]]
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
