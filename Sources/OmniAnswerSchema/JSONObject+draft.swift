import OmniAPI

extension JSONObject {
    /// Keywords that describe, and promise nothing of the answer.
    static let annotations: Set<String> = [
        "title", "description", "default", "example", "examples", "$schema", "$id", "$anchor", "$comment", "$defs", "definitions",
        "deprecated",
        "readOnly", "writeOnly", "discriminator",
    ]

    /// Whether a schema says anything about the answer, besides by these keywords.
    func hasKeywords(besides spared: String...) -> Bool {
        keys.contains { !Self.annotations.contains($0) && !$0.hasPrefix("x-") && !spared.contains($0) }
    }

    /// Whether a schema says of what kind its values are.
    var hasKind: Bool { ["$ref", "type", "enum", "const", "anyOf", "oneOf", "allOf"].contains { self[$0] != nil } }

    /// A schema of OpenAPI or of an older draft as draft 2020-12 writes it, and keywords that say the same in the converter's words.
    var inThisDraft: JSONObject {
        var schema = self
        if schema["nullable"]?.boolValue == true {
            schema["nullable"] = nil
            if schema.hasKeywords() { return JSONObject([("anyOf", [.object(schema.inThisDraft), ["type": "null"]])]) }
        }
        schema["nullable"] = nil
        for (exclusive, inclusive) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
            if let isExclusive = schema[exclusive]?.boolValue {
                schema[exclusive] = isExclusive ? schema[inclusive] : nil
                if isExclusive { schema[inclusive] = nil }
            } else if let bound = schema[exclusive]?.doubleValue, let other = schema[inclusive]?.doubleValue {
                // The converter takes one of the two.
                let keepsExclusive = exclusive == "exclusiveMinimum" ? bound >= other : bound <= other
                schema[keepsExclusive ? inclusive : exclusive] = nil
            }
        }
        // A tuple; what may follow it is left out, which is as good.
        if schema["prefixItems"]?.arrayValue?.isEmpty == false {
            schema["items"] = nil
            if schema["type"] == nil { schema["type"] = "array" }
        } else {
            schema["prefixItems"] = nil
        }
        if schema["items"] == true { schema["items"] = .object(JSONObject()) }
        if schema["maxItems"]?.intValue == 0, schema["items"] == nil { schema["items"] = .object(JSONObject()) }
        schema.takeNamesAsProperties()
        return schema
    }

    /// Keywords about names that ``inThisDraft`` takes for properties.
    var namesRead: Set<String> {
        if self["properties"] != nil { return [] }
        return self["propertyNames"]?["enum"] != nil || self["propertyNames"]?["$ref"] != nil ? ["propertyNames"] : []
    }

    /// Objects whose names are one of a list, or follow a pattern, as Pydantic writes dictionaries.
    private mutating func takeNamesAsProperties() {
        guard self["properties"] == nil, self["type"] == nil || self["type"] == "object" else { return }
        if let names = self["propertyNames"]?["enum"]?.arrayValue?.compactMap(\.stringValue), !names.isEmpty, names.count <= 64 {
            let value = self["additionalProperties"].flatMap { $0.boolValue == nil ? $0 : nil } ?? .object(JSONObject())
            self["type"] = "object"
            self["properties"] = .object(JSONObject(names.map { ($0, value) }))
            self["additionalProperties"] = false
            self["propertyNames"] = nil
        } else if let patterns = self["patternProperties"]?.objectValue, patterns.members.count == 1,
            self["additionalProperties"]?.objectValue == nil
        {
            self["type"] = "object"
            self["additionalProperties"] = patterns.members[0].1
        }
    }
}
