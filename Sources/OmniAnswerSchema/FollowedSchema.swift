import OmniAPI

/// A JSON Schema written anew so that llama.cpp's grammar converter follows it.
///
/// The converter resolves `$ref` by `#/…` alone, takes no `true` for a schema, looks at nothing beside an `anyOf`, and merges
/// `allOf` only where its members are plain objects. Here every reference becomes `#/$defs/name`, combinations are multiplied out,
/// and what other drafts and OpenAPI write otherwise is written as draft 2020-12 does. The outcome allows nothing that the schema
/// forbids by those keywords.
struct FollowedSchema {
    struct Fault: Error, Equatable {
        let reason: String
    }

    private let root: JSONObject
    /// Names of the definitions by the references that lead there.
    private var names: [String: String] = [:]
    private var definitions = JSONObject()
    private static let deepest = 64

    private let prefix: String

    /// `prefix` begins the names of definitions, which one grammar for several schemas has to tell apart. Throws ``Fault`` for a
    /// schema that no answer satisfies, or whose references lead nowhere.
    static func of(_ schema: JSONObject, prefix: String = "") throws(Fault) -> JSONObject {
        var work = FollowedSchema(root: schema, prefix: prefix)
        guard var result = try work.written(.object(schema), depth: 0) else { throw Fault(reason: "no answer satisfies it") }
        if !work.definitions.isEmpty { result["$defs"] = .object(work.definitions) }
        return result
    }

    private init(root: JSONObject, prefix: String) {
        self.root = root
        self.prefix = prefix
    }

    // MARK: Writing

    /// The schema as the converter takes it; nil where nothing satisfies it.
    private mutating func written(_ schema: JSONValue, depth: Int) throws(Fault) -> JSONObject? {
        guard depth <= Self.deepest else { throw Fault(reason: "it is nested more than \(Self.deepest) deep") }
        switch schema {
        case .bool(true): return JSONObject()
        case .bool(false): return nil
        case .object(let object): return try written(object, depth: depth)
        default: throw Fault(reason: "`\(schema.jsonText.prefix(40))` stands where a schema belongs")
        }
    }

    private mutating func written(_ given: JSONObject, depth: Int) throws(Fault) -> JSONObject? {
        var schema = given
        if let names = given["propertyNames"]?["$ref"] { schema["propertyNames"] = try SchemaPointer(names, in: root).target }
        schema = schema.inThisDraft
        if schema["allOf"] != nil {
            guard let merged = try merging(schema, depth: depth) else { return nil }
            schema = merged
        }
        if let reference = schema["$ref"] {
            // Annotations say nothing about the answer; other neighbours have to hold as well.
            guard schema.hasKeywords(besides: "$ref") else { return JSONObject([("$ref", .string(try name(of: reference, depth: depth)))]) }
            guard let merged = try merging(schema, depth: depth) else { return nil }
            schema = merged
            if schema["$ref"] != nil { return try written(schema, depth: depth + 1) }
        }
        for key in ["oneOf", "anyOf"] {
            if let alternatives = schema[key] { return try union(of: alternatives, key: key, in: schema, depth: depth) }
        }
        return try plain(schema, depth: depth)
    }

    /// Alternatives, each with what stands beside them.
    private mutating func union(of alternatives: JSONValue, key: String, in schema: JSONObject, depth: Int) throws(Fault) -> JSONObject? {
        guard let list = alternatives.arrayValue, !list.isEmpty else { throw Fault(reason: "`\(key)` is no list of schemas") }
        var beside = schema
        beside[key] = nil
        let other = key == "oneOf" ? "anyOf" : "oneOf"
        // Both at once are rare, and the first says more.
        beside[other] = nil
        let isTypeOnly = beside["type"]?.stringValue != nil && !beside.hasKeywords(besides: "type")
        var result: [JSONValue] = []
        for alternative in list {
            var whole = alternative
            if case .object(let own) = alternative, beside.hasKeywords(), !(isTypeOnly && own.hasKind) {
                guard let merged = try merged(beside, own, depth: depth) else { continue }
                whole = .object(merged)
            }
            if let schema = try written(whole, depth: depth + 1), !result.contains(.object(schema)) { result.append(.object(schema)) }
        }
        guard let first = result.first else { return nil }
        return result.count == 1 ? first.objectValue : JSONObject([("anyOf", .array(result))])
    }

    /// A schema without combinations.
    private mutating func plain(_ given: JSONObject, depth: Int) throws(Fault) -> JSONObject? {
        var schema = given
        if schema["enum"] != nil || schema["const"] != nil, schema["type"]?.arrayValue != nil { schema["type"] = nil }
        if case .array(let values)? = schema["enum"], values.isEmpty { return nil }
        if case .object(let properties)? = schema["properties"] {
            let required = Set(schema["required"]?.arrayValue?.compactMap(\.stringValue) ?? [])
            var written = JSONObject()
            for (name, property) in properties.members {
                if let property = try self.written(property, depth: depth + 1) {
                    written[name] = .object(property)
                } else if required.contains(name) {
                    return nil
                }
            }
            for name in schema["required"]?.arrayValue?.compactMap(\.stringValue) ?? [] where properties[name] == nil {
                written[name] = .object(JSONObject())
            }
            schema["properties"] = .object(written)
        }
        if let more = schema["additionalProperties"], more.boolValue == nil {
            schema["additionalProperties"] = try written(more, depth: depth + 1).map(JSONValue.object) ?? false
        }
        for key in ["items", "prefixItems"] {
            guard let items = schema[key] else { continue }
            if case .array(let list) = items {
                var written: [JSONValue] = []
                for item in list {
                    guard let item = try self.written(item, depth: depth + 1) else { return nil }
                    written.append(.object(item))
                }
                schema[key] = .array(written)
            } else if let items = try written(items, depth: depth + 1) {
                schema[key] = .object(items)
            } else {
                // No item satisfies it: an empty list does.
                (schema[key], schema["maxItems"], schema["minItems"]) = (.object(JSONObject()), 0, nil)
            }
        }
        schema["$defs"] = nil
        schema["definitions"] = nil
        schema["not"] = nil
        return schema
    }

    // MARK: Combinations

    /// The schema with its `allOf` and its `$ref` taken into it. A single member without neighbours stays what it is.
    private mutating func merging(_ schema: JSONObject, depth: Int) throws(Fault) -> JSONObject? {
        guard depth <= Self.deepest else { throw Fault(reason: "it refers to itself without end") }
        var parts = schema["allOf"]?.arrayValue ?? []
        var own = schema
        own["allOf"] = nil
        if !own.hasKeywords(), parts.count == 1, case .object(let only) = parts[0] { return only.inThisDraft }
        if let reference = own["$ref"] {
            parts.insert(["$ref": reference], at: 0)
            own["$ref"] = nil
        }
        for part in parts {
            guard part.boolValue != true else { continue }
            guard case .object(let part) = part else { return nil }
            guard let both = try merged(own, part, depth: depth) else { return nil }
            own = both
        }
        return own
    }

    /// What both ask for; nil where that is nothing.
    private mutating func merged(_ left: JSONObject, _ right: JSONObject, depth: Int) throws(Fault) -> JSONObject? {
        guard depth <= Self.deepest else { throw Fault(reason: "it refers to itself without end") }
        let (left, right) = (try opened(left, depth: depth), try opened(right, depth: depth))
        guard let left, let right else { return nil }
        return try SchemaMerge.merged(left, right) { (a, b) throws(Fault) in
            guard case .object(let a) = a, case .object(let b) = b else {
                return a.boolValue == true ? b : b.boolValue == true ? a : .bool(false)
            }
            return try merged(a, b, depth: depth + 1).map(JSONValue.object) ?? .bool(false)
        }
    }

    /// A schema with its reference followed and its `allOf` taken in, so that it can be merged.
    private mutating func opened(_ schema: JSONObject, depth: Int) throws(Fault) -> JSONObject? {
        let schema = schema.inThisDraft
        if let reference = schema["$ref"] {
            guard depth < Self.deepest else { throw Fault(reason: "it refers to itself without end") }
            let target = try SchemaPointer(reference, in: root).target
            guard case .object(let object) = target else { return target.boolValue == false ? nil : JSONObject() }
            guard schema.hasKeywords(besides: "$ref") else { return try opened(object, depth: depth + 1) }
            var rest = schema
            rest["$ref"] = nil
            return try merged(rest, object, depth: depth + 1)
        }
        return schema["allOf"] == nil ? schema : try merging(schema, depth: depth + 1)
    }

    // MARK: References

    /// `#/$defs/name` of what a reference leads to, which is written there.
    private mutating func name(of reference: JSONValue, depth: Int) throws(Fault) -> String {
        let pointer = try SchemaPointer(reference, in: root)
        if let name = names[pointer.text] { return "#/$defs/\(name)" }
        var name = prefix + pointer.name
        while names.values.contains(name) { name += "x" }
        names[pointer.text] = name
        // Known before it is written: it may refer to itself.
        definitions[name] = .object(try written(pointer.target, depth: depth + 1) ?? JSONObject([("enum", [])]))
        return "#/$defs/\(name)"
    }
}
