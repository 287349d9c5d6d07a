import OmniAPI

/// What two schemas ask for together.
enum SchemaMerge {
    /// Nil where nothing satisfies both. `inner` merges what stands inside of them.
    static func merged<Failure: Error>(
        _ left: JSONObject, _ right: JSONObject, inner: (JSONValue, JSONValue) throws(Failure) -> JSONValue
    ) throws(Failure) -> JSONObject? {
        var result = left
        for (key, value) in right.members {
            guard let own = left[key], own != value else {
                result[key] = value
                continue
            }
            switch key {
            case "type":
                guard let types = types(own, value) else { return nil }
                result[key] = types
            case "properties":
                var properties = own.objectValue ?? JSONObject()
                for (name, property) in value.objectValue?.members ?? [] {
                    if let earlier = properties[name] {
                        properties[name] = try inner(earlier, property)
                    } else {
                        properties[name] = property
                    }
                }
                result[key] = .object(properties)
            case "required":
                let known = own.arrayValue ?? []
                result[key] = .array(known + (value.arrayValue ?? []).filter { !known.contains($0) })
            case "enum":
                let both = (own.arrayValue ?? []).filter { (value.arrayValue ?? []).contains($0) }
                guard !both.isEmpty else { return nil }
                result[key] = .array(both)
            case "const": return nil
            // Each forbids what it does not name itself; together that would forbid everything, and nobody means it.
            case "additionalProperties" where own.boolValue == true || value.boolValue == false: result[key] = value
            case "additionalProperties" where value.boolValue == true || own.boolValue == false: result[key] = own
            case "additionalProperties": result[key] = try inner(own, value)
            case "items" where own.arrayValue == nil && value.arrayValue == nil: result[key] = try inner(own, value)
            case "minimum", "exclusiveMinimum", "minLength", "minItems":
                result[key] = (own.doubleValue ?? 0) > (value.doubleValue ?? 0) ? own : value
            case "maximum", "exclusiveMaximum", "maxLength", "maxItems":
                result[key] = (own.doubleValue ?? 0) < (value.doubleValue ?? 0) ? own : value
            case "anyOf", "oneOf":
                guard let product = try product(own, value, inner: inner) else { return nil }
                result[key] = product
            default: result[key] = own
            }
        }
        if let only = result["const"], let allowed = result["enum"]?.arrayValue {
            guard allowed.contains(only) else { return nil }
            result["enum"] = nil
        }
        return result
    }

    private static func types(_ left: JSONValue, _ right: JSONValue) -> JSONValue? {
        func list(_ value: JSONValue) -> [String] { value.stringValue.map { [$0] } ?? value.arrayValue?.compactMap(\.stringValue) ?? [] }
        let (left, right) = (list(left), list(right))
        var both = left.filter { right.contains($0) }
        // Every integer is a number.
        if (left.contains("integer") && right.contains("number")) || (left.contains("number") && right.contains("integer")),
            !both.contains("integer"), !both.contains("number")
        {
            both.append("integer")
        }
        return both.isEmpty ? nil : both.count == 1 ? .string(both[0]) : .array(both.map(JSONValue.string))
    }

    /// Each alternative of the one with each of the other; the first's alone where those are too many.
    private static func product<Failure: Error>(
        _ left: JSONValue, _ right: JSONValue, inner: (JSONValue, JSONValue) throws(Failure) -> JSONValue
    ) throws(Failure) -> JSONValue? {
        guard let left = left.arrayValue, let right = right.arrayValue, left.count * right.count <= 64 else { return left }
        var result: [JSONValue] = []
        for one in left {
            for other in right {
                let both = try inner(one, other)
                if both.boolValue != false { result.append(both) }
            }
        }
        return result.isEmpty ? nil : .array(result)
    }
}
