import OmniAPI

/// Which keywords of a JSON Schema the form of an answer follows.
///
/// The engine writes answers by a grammar made from the schema. A grammar cannot follow every keyword, and each kind of value
/// has keywords of its own; all others have no effect and are named to the client.
enum AnswerSchema {
    /// Paths of keywords without effect, such as `properties.age.multipleOf`.
    static func unread(in schema: JSONObject) -> [String] {
        let read = read(schema)
        let own = schema.keys.filter { !read.contains($0) && !annotations.contains($0) && !$0.hasPrefix("x-") }
        return own + children(of: schema, read: read).flatMap { path, child in unread(in: child).map { "\(path).\($0)" } }
    }

    /// They describe, and promise nothing of the answer.
    private static let annotations = JSONObject.annotations.union(["type"])

    /// The keywords that have an effect, in the converter's order of precedence.
    private static func read(_ schema: JSONObject) -> Set<String> {
        let combined = Set(
            ["$ref", "oneOf", "anyOf", "allOf", "nullable"].filter { schema[$0] != nil && !($0 == "anyOf" && schema["oneOf"] != nil) })
        return combined.union(readAlone(schema))
    }

    private static func readAlone(_ schema: JSONObject) -> Set<String> {
        if let types = schema["type"]?.arrayValue { return types.reduce(into: []) { $0.formUnion(read(schema, type: $1.stringValue)) } }
        return read(schema, type: schema["type"]?.stringValue)
    }

    private static func read(_ schema: JSONObject, type: String?) -> Set<String> {
        for key in ["const", "enum"] where schema[key] != nil { return [key] }
        let hasMembers = schema["properties"] != nil || (schema["additionalProperties"] ?? true) != true
        switch type ?? impliedType(schema, hasMembers: hasMembers) {
        case "object": return schema.namesRead.union(["properties", "required", "additionalProperties"])
        case "string":
            if let pattern = schema["pattern"]?.stringValue, (try? SchemaPattern(pattern)) != nil { return ["pattern"] }
            return formats.contains(schema["format"]?.stringValue ?? "") ? ["format"] : ["minLength", "maxLength"]
        case "array":
            let items = schema["prefixItems"]?.arrayValue?.isEmpty == false ? "prefixItems" : "items"
            guard let tuple = schema[items]?.arrayValue else { return [items, "minItems", "maxItems"] }
            // A tuple has its length, whether or not these say so too.
            return Set(
                [items] + (schema["items"] == false ? ["items"] : [])
                    + ["minItems", "maxItems"].filter { schema[$0]?.intValue == tuple.count })
        case "integer":
            return [schema["minimum"] != nil ? "minimum" : "exclusiveMinimum", schema["maximum"] != nil ? "maximum" : "exclusiveMaximum"]
        default: return []
        }
    }

    private static func impliedType(_ schema: JSONObject, hasMembers: Bool) -> String? {
        if hasMembers || schema["required"] != nil { return "object" }
        if schema["items"] != nil || schema["prefixItems"] != nil { return "array" }
        let isString =
            ["pattern", "minLength", "maxLength"].contains { schema[$0] != nil } || formats.contains(schema["format"]?.stringValue ?? "")
        return isString ? "string" : nil
    }

    private static let formats: Set<String> = ["date", "time", "date-time", "uuid", "uuid1", "uuid2", "uuid3", "uuid4", "uuid5"]

    /// The schemas inside, those that references may name among them.
    private static func children(of schema: JSONObject, read: Set<String>) -> [(path: String, schema: JSONObject)] {
        schema.members.flatMap { key, value -> [(String, JSONObject)] in
            switch (key, value) {
            case ("properties", .object(let named)) where read.contains(key), ("$defs", .object(let named)),
                ("definitions", .object(let named)):
                return named.members.compactMap { name, child in child.objectValue.map { ("\(key).\(name)", $0) } }
            case ("additionalProperties", .object(let child)) where read.contains(key),
                ("items", .object(let child)) where read.contains(key):
                return [(key, child)]
            case (_, .array(let list)) where read.contains(key):
                return list.enumerated().compactMap { place, child in child.objectValue.map { ("\(key).\(place)", $0) } }
            default: return []
            }
        }
    }
}

extension ChatCompletionRequest {
    /// Keywords of schemas, of the answer's and of the tools' arguments, that have no effect.
    package var keywordsWithoutEffect: [String] {
        (answerFormat?.keywordsWithoutEffect ?? [])
            + (tools ?? []).enumerated().flatMap { place, tool in
                AnswerSchema.unread(in: tool.function.parameters ?? JSONObject()).map { "tools.\(place).function.parameters.\($0)" }
            }
    }
}

extension CompletionRequest {
    /// Keywords of the answer's schema that have no effect.
    package var keywordsWithoutEffect: [String] { answerFormat?.keywordsWithoutEffect ?? [] }
}

extension ResponsesRequest {
    /// Keywords of schemas, of the answer's and of the tools' arguments, that have no effect.
    package var keywordsWithoutEffect: [String] {
        text.format.keywords(at: "text.format.schema")
            + tools.enumerated().flatMap { place, tool in
                AnswerSchema.unread(in: tool.parameters ?? JSONObject()).map { "tools.\(place).parameters.\($0)" }
            }
    }
}

extension MessagesRequest {
    /// Keywords of the schemas of tools' arguments that have no effect.
    package var keywordsWithoutEffect: [String] {
        (prompt.tools ?? []).enumerated().flatMap { place, tool in
            AnswerSchema.unread(in: tool.inputSchema).map { "tools.\(place).input_schema.\($0)" }
        }
    }
}

extension ResponseFormat {
    fileprivate var keywordsWithoutEffect: [String] { keywords(at: "response_format.json_schema.schema") }

    fileprivate func keywords(at path: String) -> [String] {
        guard case .jsonSchema(_, let schema) = self else { return [] }
        return AnswerSchema.unread(in: schema).map { "\(path).\($0)" }
    }
}
