/// A function that the model may call, as Anthropic's Messages API describes it.
public struct MessageTool: WireObject, Equatable {
    public var type = "custom"
    public var name = ""
    public var description: String?
    /// JSON Schema of the arguments.
    public var inputSchema: JSONObject = JSONObject()

    public init() {}

    public static var fields: [Field<MessageTool>] {
        [
            // First: a tool of another type has no schema of its own.
            .with(default: "custom", "type", \.type, .string.checked { $0 == "custom" ? nil : unknown($0) }),
            .required("name", \.name, .string(length: 1...256)),
            .optional("description", \.description, .string),
            .required("input_schema", \.inputSchema, .openObject, "JSON Schema of the arguments."),
        ]
    }

    private static func unknown(_ type: String) -> String {
        "must be custom: this server runs no tools, and its models know none by the type `\(type.prefix(64))`. Describe it with an input_schema."
    }
}

/// Which tools the model may or must call.
public struct MessageToolChoice: WireObject, Equatable {
    public enum Kind: String, CaseIterable, Sendable { case auto, any, tool, none }

    public var type = Kind.auto
    /// With type `tool`: the one to call.
    public var name: String?
    public var disableParallelToolUse = false

    public init() {}

    public static var fields: [Field<MessageToolChoice>] {
        [
            .required("type", \.type, .choice), .optional("name", \.name, .string, "With type `tool`: the one to call."),
            .with(default: false, "disable_parallel_tool_use", \.disableParallelToolUse, .bool, "At most one call in an answer."),
        ]
    }

    public func validate(at path: WirePath) throws {
        if type == .tool, name == nil { throw APIError.field(path.appending("name"), "is required with type `tool`.") }
    }
}

/// Whether a model that thinks does so.
public struct MessageThinking: WireObject, Equatable {
    public enum Kind: String, CaseIterable, Sendable { case enabled, disabled, adaptive }

    public var type = Kind.adaptive
    public var budgetTokens: Int?

    public init() {}

    public static var fields: [Field<MessageThinking>] {
        [
            .required("type", \.type, .choice),
            .optional("budget_tokens", \.budgetTokens, .integer(1 ... .max), "Not used: thoughts count towards max_tokens."),
        ]
    }
}
