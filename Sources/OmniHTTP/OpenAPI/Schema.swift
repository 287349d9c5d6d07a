import OmniAPI

/// The shape of a body in the API document.
package enum Schema: Sendable {
    case object(any WireObject.Type)
    /// For what no type of `OmniAPI` stands for. Written while the document is, so that it may name objects.
    case inline(@Sendable () -> JSONValue)
    /// All of these at once.
    case all([Schema])
    /// One of these.
    case any([Schema])
    case form(any WireObject.Type, files: [RouteDoc.FormFile])
    /// Server-sent events with such data. Before OpenAPI 3.2 the schema of such a body is that of each event.
    case events([Schema])
    case text
    case bytes

    /// JSON Schema; the objects that it names are noted in `book`.
    func json(_ book: SchemaRegistry) -> JSONValue {
        switch self {
        case .object(let type): return book.reference(type)
        case .inline(let schema): return book.collecting(schema)
        case .all(let parts): return ["allOf": .array(parts.map { $0.json(book) })]
        case .any(let parts): return ["anyOf": .array(parts.map { $0.json(book) })]
        case .form(let type, let files): return Self.form(type, files, book)
        case .events(let events):
            let data: JSONValue = [
                "type": "string", "contentMediaType": "application/json", "contentSchema": ["anyOf": .array(events.map { $0.json(book) })],
            ]
            return [
                "type": "object", "description": "Each server-sent event.", "required": ["data"],
                "properties": ["event": ["type": "string"], "data": ["anyOf": [["const": "[DONE]"], data]]],
            ]
        case .text: return ["type": "string"]
        case .bytes: return ["type": "string", "format": "binary"]
        }
    }

    /// The fields of `type` and the files in one object: how OpenAPI describes a form.
    private static func form(_ type: any WireObject.Type, _ files: [RouteDoc.FormFile], _ book: SchemaRegistry) -> JSONValue {
        var schema = book.collecting { type.schema }.objectValue ?? JSONObject()
        var properties = schema["properties"]?.objectValue ?? JSONObject()
        var required = schema["required"]?.arrayValue ?? []
        for file in files {
            let one: JSONValue = [
                "type": "string", "format": "binary", "contentMediaType": .string(file.mediaType), "description": .string(file.about),
            ]
            properties[file.name] = file.isList ? ["type": "array", "items": one, "description": .string(file.about)] : one
            if file.isRequired { required.append(.string(file.name)) }
        }
        schema["properties"] = .object(properties)
        if !required.isEmpty { schema["required"] = .array(required) }
        return .object(schema)
    }
}
