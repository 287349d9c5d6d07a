/// A function that the model may call, as the Responses API describes it: its members stand beside its type.
public struct ResponseTool: WireObject, Equatable {
    public var type = "function"
    public var name = ""
    public var description: String?
    /// JSON Schema of the arguments.
    public var parameters: JSONObject?
    public var strict: Bool?

    public init() {}

    public static var fields: [Field<ResponseTool>] {
        [
            .required("type", \.type, .string.checked { $0 == "function" ? nil : unknown($0) }),
            .required("name", \.name, .string(length: 1...256)), .optional("description", \.description, .string),
            .optional("parameters", \.parameters, .openObject, "JSON Schema of the arguments."), .optional("strict", \.strict, .bool),
        ]
    }

    private static func unknown(_ type: String) -> String {
        switch type {
        case "web_search", "web_search_preview", "file_search", "code_interpreter", "computer_use_preview", "mcp", "image_generation",
            "local_shell", "shell":
            "must be function: this server runs no tools of its own, and `\(type)` is one. Offer a function that your program answers."
        case "custom":
            "must be function: tools of type custom are not supported. A function whose parameters are an object with one string does the same."
        default: "must be function."
        }
    }

    /// The same for a chat.
    public var chat: Tool {
        var tool = Tool()
        (tool.function.name, tool.function.description) = (name, description)
        (tool.function.parameters, tool.function.strict) = (parameters, strict)
        return tool
    }
}

/// Functions have different names, and a choice names one of them.
package func checkTools(_ tools: [ResponseTool], _ choice: ToolChoice, at path: WirePath) throws {
    let names = tools.map(\.name)
    if Set(names).count < names.count { throw APIError.field(path.appending("tools"), "has two functions of the same name.") }
    if let name = choice.names?.first(where: { !names.contains($0) }) {
        throw APIError.field(path.appending("tool_choice"), "names the function `\(name)`, which is not among the tools.")
    }
    if choice == .required, names.isEmpty { throw APIError.field(path.appending("tool_choice"), "needs `tools`.") }
}

/// The form of the answer's text.
public struct ResponseText: WireObject, Equatable {
    public var format = ResponseFormat.text
    public var verbosity: String?

    public init() {}

    public static var fields: [Field<ResponseText>] {
        [.with(default: .text, "format", \.format, .responseTextFormat), .optional("verbosity", \.verbosity, .string, "Not used.")]
    }
}

/// How much a model thinks that thinks.
public struct ResponseReasoning: WireObject, Equatable {
    public var effort: String?
    public var summary: String?

    public init() {}

    public static var fields: [Field<ResponseReasoning>] {
        [
            .optional("effort", \.effort, .string),
            .optional("summary", \.summary, .string, aliases: ["generate_summary"], "Not used: the thoughts themselves are given."),
        ]
    }
}

extension WireType where Value == ResponseFormat {
    /// As in chats, but the schema's members stand beside the type.
    static var responseTextFormat: WireType {
        WireType(
            decode: { json, path in
                guard json["type"] == "json_schema" else { return try responseFormat.decode(json, path) }
                guard let schema = json["schema"]?.objectValue else {
                    throw APIError.field(path.appending("schema"), "must be an object: the JSON Schema of the answer.")
                }
                return .jsonSchema(name: json["name"]?.stringValue ?? "answer", schema: schema)
            },
            encode: { format in
                guard case .jsonSchema(let name, let schema) = format else { return responseFormat.encode(format) }
                return ["type": "json_schema", "name": .string(name), "schema": .object(schema), "strict": true]
            },
            schema: {
                let types: JSONValue = ["type": "string", "enum": ["text", "json_object", "json_schema"]]
                return [
                    "type": "object", "required": ["type"],
                    "properties": ["type": types, "name": ["type": "string"], "schema": ["type": "object"]],
                ]
            })
    }
}

extension WireType where Value == ToolChoice {
    /// As in chats, but a function's name stands beside its type.
    static var responseToolChoice: WireType {
        WireType(
            decode: { json, path in
                guard json["type"] == "function", let name = json["name"]?.stringValue else { return try toolChoice.decode(json, path) }
                return .function(name)
            },
            encode: { choice in
                switch choice {
                case .function(let name): ["type": "function", "name": .string(name)]
                case .allowed(let names, let isRequired):
                    [
                        "type": "allowed_tools", "mode": isRequired ? "required" : "auto",
                        "tools": .array(names.map { ["type": "function", "name": .string($0)] }),
                    ]
                default: toolChoice.encode(choice)
                }
            },
            schema: {
                [
                    "oneOf": [
                        ["type": "string", "enum": ["none", "auto", "required"]],
                        [
                            "type": "object", "required": ["type"],
                            "properties": [
                                "type": ["type": "string", "enum": ["function", "allowed_tools"]], "name": ["type": "string"],
                            ],
                        ],
                    ]
                ]
            })
    }
}
