/// How one kind of value travels: decoded with its range checked, encoded, and described for OpenAPI. One definition serves
/// the server's validation, the document at `/openapi.json` and the SDK.
public struct WireType<Value: Sendable>: Sendable {
    let decode: @Sendable (JSONValue, WirePath) throws -> Value
    let encode: @Sendable (Value) -> JSONValue
    /// JSON Schema 2020-12, as OpenAPI 3.1 uses it.
    public let schema: @Sendable () -> JSONValue

    public init(
        decode: @escaping @Sendable (JSONValue, WirePath) throws -> Value, encode: @escaping @Sendable (Value) -> JSONValue,
        schema: @escaping @Sendable () -> JSONValue
    ) {
        self.decode = decode
        self.encode = encode
        self.schema = schema
    }
}

extension WireType where Value == String {
    public static var string: WireType { string() }

    /// Text of `length` Unicode scalars. Numbers are not text, as with pydantic.
    public static func string(length: ClosedRange<Int>? = nil) -> WireType {
        WireType(
            decode: { json, path in
                guard case .string(let text) = json else { throw APIError.field(path, "must be a string, not \(json.typeName).") }
                if let length, !length.contains(text.unicodeScalars.count) {
                    throw APIError.field(
                        path, "must have \(length.lowerBound) to \(length.upperBound) characters, not \(text.unicodeScalars.count).")
                }
                return text
            },
            encode: { .string($0) },
            schema: {
                var schema: JSONObject = JSONObject([("type", "string")])
                if let length { schema["minLength"] = .int(length.lowerBound); schema["maxLength"] = .int(length.upperBound) }
                return .object(schema)
            })
    }
}

extension WireType where Value == Int {
    /// A whole number; the texts `"2"` and `2.0` count too, as with the peer's pydantic.
    public static func integer(_ range: ClosedRange<Int> = Int.min...Int.max) -> WireType {
        WireType(
            decode: { json, path in
                let value: Int? =
                    switch json {
                    case .string(let text): Int(text)
                    default: json.intValue
                    }
                guard let value else { throw APIError.field(path, "must be a whole number, not \(json.short).") }
                guard range.contains(value) else { throw APIError.field(path, "must be \(describe(range)), not \(value).") }
                return value
            },
            encode: { .int($0) },
            schema: {
                var schema = JSONObject([("type", "integer")])
                if range.lowerBound != .min { schema["minimum"] = .int(range.lowerBound) }
                if range.upperBound != .max { schema["maximum"] = .int(range.upperBound) }
                return .object(schema)
            })
    }

    private static func describe(_ range: ClosedRange<Int>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (.min, let high): "at most \(high)"
        case (let low, .max): "at least \(low)"
        case (let low, let high): "from \(low) to \(high)"
        }
    }
}

extension WireType where Value == Double {
    /// A finite number in `range`; `above` excludes the lower bound itself.
    public static func number(_ range: ClosedRange<Double> = -.greatestFiniteMagnitude ... .greatestFiniteMagnitude, above: Double? = nil)
        -> WireType
    {
        WireType(
            decode: { json, path in
                let value: Double? =
                    switch json {
                    case .string(let text): Double(text)
                    default: json.doubleValue
                    }
                guard let value, value.isFinite else { throw APIError.field(path, "must be a finite number, not \(json.short).") }
                if let above, value <= above { throw APIError.field(path, "must be greater than \(above), not \(value).") }
                guard range.contains(value) else {
                    throw APIError.field(path, "must be from \(range.lowerBound) to \(range.upperBound), not \(value).")
                }
                return value
            },
            encode: { .number($0) },
            schema: {
                var schema = JSONObject([("type", "number")])
                if let above {
                    schema["exclusiveMinimum"] = .number(above)
                } else if range.lowerBound > -.greatestFiniteMagnitude {
                    schema["minimum"] = .number(range.lowerBound)
                }
                if range.upperBound < .greatestFiniteMagnitude { schema["maximum"] = .number(range.upperBound) }
                return .object(schema)
            })
    }
}

extension WireType where Value == Bool {
    /// `true` and `false`, and the spellings that pydantic takes for them.
    public static var bool: WireType {
        WireType(
            decode: { json, path in
                switch json {
                case .bool(let value): return value
                case .integer(0), .number(0): return false
                case .integer(1), .number(1): return true
                case .string(let text):
                    switch text.lowercased() {
                    case "true", "yes", "on", "1", "t", "y": return true
                    case "false", "no", "off", "0", "f", "n": return false
                    default: break
                    }
                default: break
                }
                throw APIError.field(path, "must be true or false, not \(json.short).")
            },
            encode: { .bool($0) },
            schema: { ["type": "boolean"] })
    }
}

extension WireType where Value == JSONValue {
    /// Any JSON, kept as it is.
    public static var any: WireType { WireType(decode: { json, _ in json }, encode: { $0 }, schema: { [:] }) }
}

extension WireType where Value == JSONObject {
    /// An object whose members are not ours to check (tool parameters, template arguments).
    public static var openObject: WireType {
        WireType(
            decode: { json, path in
                guard case .object(let object) = json else { throw APIError.field(path, "must be an object, not \(json.typeName).") }
                return object
            },
            encode: { .object($0) },
            schema: { ["type": "object", "additionalProperties": true] })
    }
}

extension WireType where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
    /// One of the cases of a string enumeration.
    public static var choice: WireType {
        WireType(
            decode: { json, path in
                guard case .string(let text) = json, let value = Value(rawValue: text) else {
                    throw APIError.field(
                        path, "must be one of \(Value.allCases.map(\.rawValue).joined(separator: ", ")); not \(json.short).")
                }
                return value
            },
            encode: { .string($0.rawValue) },
            schema: { ["type": "string", "enum": .array(Value.allCases.map { .string($0.rawValue) })] })
    }
}

extension WireType {
    /// A list of `element`s.
    public static func list<Element: Sendable>(of element: WireType<Element>, count: ClosedRange<Int> = 0...Int.max) -> WireType
    where Value == [Element] {
        WireType(
            decode: { json, path in
                guard case .array(let elements) = json else { throw APIError.field(path, "must be a list, not \(json.typeName).") }
                guard count.contains(elements.count) else {
                    let most = count.upperBound == .max ? "at least \(count.lowerBound)" : "\(count.lowerBound) to \(count.upperBound)"
                    throw APIError.field(path, "must have \(most) elements, not \(elements.count).")
                }
                return try elements.enumerated().map { try element.decode($1, path.appending($0)) }
            },
            encode: { .array($0.map(element.encode)) },
            schema: {
                var schema = JSONObject([("type", "array"), ("items", element.schema())])
                if count.lowerBound > 0 { schema["minItems"] = .int(count.lowerBound) }
                if count.upperBound < .max { schema["maxItems"] = .int(count.upperBound) }
                return .object(schema)
            })
    }

    /// A list, or one element standing for a list of one.
    public static func oneOrList<Element: Sendable>(of element: WireType<Element>, count: ClosedRange<Int> = 0...Int.max) -> WireType
    where Value == [Element] {
        let many = WireType.list(of: element, count: count)
        return WireType(
            decode: { json, path in
                if case .array = json { return try many.decode(json, path) }
                return [try element.decode(json, path)]
            },
            encode: many.encode,
            schema: { ["oneOf": [element.schema(), many.schema()]] })
    }

    /// An object used as a dictionary.
    public static func dictionary<Element: Sendable>(of element: WireType<Element>) -> WireType where Value == [String: Element] {
        WireType(
            decode: { json, path in
                guard case .object(let object) = json else { throw APIError.field(path, "must be an object, not \(json.typeName).") }
                return try Dictionary(object.members.map { ($0.key, try element.decode($0.value, path.appending($0.key))) }) { $1 }
            },
            encode: { dictionary in .object(JSONObject(dictionary.sorted { $0.key < $1.key }.map { ($0.key, element.encode($0.value)) })) },
            schema: { ["type": "object", "additionalProperties": element.schema()] })
    }

    /// An object with its own schema.
    public static func object(_: Value.Type = Value.self) -> WireType where Value: WireObject {
        WireType(
            decode: { try Value(json: $0, at: $1) }, encode: \.json,
            schema: {
                SchemaRegistry.current?.note(Value.self)
                return SchemaRegistry.reference(named: Value.schemaName)
            })
    }

    /// The same, with `null` allowed and standing for "not given".
    public func orNull() -> WireType<Value?> {
        WireType<Value?>(
            decode: { json, path in json.isNull ? nil : try self.decode(json, path) },
            encode: { $0.map(self.encode) ?? .null },
            schema: { ["anyOf": [self.schema(), ["type": "null"]]] })
    }

    /// A further check on a decoded value; `check` returns what is wrong, or nil.
    public func checked(_ check: @escaping @Sendable (Value) -> String?) -> WireType {
        WireType(
            decode: { json, path in
                let value = try self.decode(json, path)
                if let fault = check(value) { throw APIError.field(path, fault) }
                return value
            },
            encode: encode, schema: schema)
    }
}

extension JSONValue {
    /// The value as an error message shows it: at most 60 characters.
    var short: String {
        switch self {
        case .array(let elements): return "a list of \(elements.count)"
        case .object(let object): return "an object of \(object.count) members"
        default:
            let text = jsonText
            return text.count <= 60 ? text : text.prefix(57) + "…\""
        }
    }
}
