/// A wire type made of named fields. Conforming types list their fields once; decoding, range checks, encoding and the
/// OpenAPI schema all follow from that list.
public protocol WireObject: Sendable {
    /// All fields at their defaults.
    init()
    static var fields: [Field<Self>] { get }
    /// The name in `components/schemas`.
    static var schemaName: String { get }
    /// Rules that span fields; called after decoding.
    func validate(at path: WirePath) throws
    /// Paths of parts inside known fields that no rule reads.
    var withoutEffect: [String] { get }
}

extension WireObject {
    public static var schemaName: String { String(describing: Self.self) }
    public func validate(at path: WirePath) throws {}
    public var withoutEffect: [String] { [] }

    public init(json: JSONValue, at path: WirePath = .body) throws {
        var ignored = IgnoredFields()
        try self.init(json: json, at: path, ignored: &ignored)
    }

    /// Decodes and checks every field. Names that this type does not have are collected in `ignored` (they become the
    /// `x-ignored-params` header, or an error with `--strict-params`).
    public init(json: JSONValue, at path: WirePath = .body, ignored: inout IgnoredFields) throws {
        guard case .object(let object) = json else { throw APIError.field(path, "must be an object, not \(json.typeName).") }
        self.init()
        var known = Set<String>(), idle: [String] = []
        for field in Self.fields {
            for name in field.names { known.insert(name) }
            let given = field.names.compactMap { name in object[name].map { (name, $0) } }
            // Under two names, one of them null: the other is the one that was given.
            if let (name, value) = given.first(where: { !$0.1.isNull }) ?? given.first {
                try field.decode(&self, value, path.appending(name))
                // What is said twice counts once.
                idle += given.lazy.filter { $0.0 != name && !$0.1.isNull && $0.1 != value }.map(\.0)
            } else if field.isRequired {
                throw APIError.field(path.appending(field.name), "is required.")
            }
        }
        for member in object.members where !known.contains(member.key) { ignored.names.append(member.key) }
        try validate(at: path)
        ignored.names += idle + withoutEffect
    }

    /// Fields at their default are left out, except those marked `always`.
    public var json: JSONValue {
        var object = JSONObject()
        for field in Self.fields {
            if let value = field.encode(self) { object.append(field.name, value) }
        }
        return .object(object)
    }

    /// JSON Schema of the object.
    public static var schema: JSONValue {
        var properties = JSONObject()
        for field in fields { properties.append(field.name, field.schema()) }
        var schema = JSONObject([("type", "object"), ("title", .string(schemaName)), ("properties", .object(properties))])
        let required = fields.filter { $0.isRequired || $0.isPromised }.map { JSONValue.string($0.name) }
        if !required.isEmpty { schema["required"] = .array(required) }
        return .object(schema)
    }
}

/// What of a request no rule reads: fields, and parts of fields by their path.
public struct IgnoredFields: Sendable {
    public var names: [String] = []
    public init() {}
}

/// One field of a ``WireObject``.
public struct Field<Root: Sendable>: Sendable {
    public let name: String
    let aliases: [String]
    public let isRequired: Bool
    let decode: @Sendable (inout Root, JSONValue, WirePath) throws -> Void
    let encode: @Sendable (Root) -> JSONValue?
    /// JSON Schema of the value.
    public let schema: @Sendable () -> JSONValue
    /// A reply always has it. A reader does without all the same: other servers leave fields out.
    var isPromised = false

    var names: [String] { aliases.isEmpty ? [name] : [name] + aliases }

    /// A field that must be given.
    public static func required<Value: Sendable>(
        _ name: String, _ path: WritableKeyPath<Root, Value> & Sendable, _ type: WireType<Value>, aliases: [String] = [],
        _ about: String = ""
    ) -> Field {
        Field(
            name: name, aliases: aliases, isRequired: true, decode: { $0[keyPath: path] = try type.decode($1, $2) },
            encode: { type.encode($0[keyPath: path]) }, schema: { described(type.schema(), about) })
    }

    /// A field with a default, which `init()` of the object has set. Not given, or given as that default, it is not sent. Null
    /// is not given, as the official clients type it, unless the type itself has a meaning for it.
    public static func with<Value: Sendable & Equatable>(
        default standard: Value, _ name: String, _ path: WritableKeyPath<Root, Value> & Sendable, _ type: WireType<Value>,
        aliases: [String] = [],
        _ about: String = ""
    ) -> Field {
        Field(
            name: name, aliases: aliases, isRequired: false,
            decode: { root, json, place in
                do {
                    root[keyPath: path] = try type.decode(json, place)
                } catch {
                    guard json.isNull else { throw error }
                }
            },
            // A bare nil here would be JSON's null, and the default would be sent as such.
            encode: { $0[keyPath: path] == standard ? JSONValue?.none : type.encode($0[keyPath: path]) },
            schema: { described(orNull(type.schema()), about, standard: type.encode(standard)) })
    }

    /// A field that may be absent or null.
    public static func optional<Value: Sendable>(
        _ name: String, _ path: WritableKeyPath<Root, Value?> & Sendable, _ type: WireType<Value>, aliases: [String] = [],
        _ about: String = ""
    ) -> Field {
        let nullable = type.orNull()
        return Field(
            name: name, aliases: aliases, isRequired: false, decode: { $0[keyPath: path] = try nullable.decode($1, $2) },
            encode: { $0[keyPath: path].map(type.encode) }, schema: { described(nullable.schema(), about) })
    }

    /// A field of a reply that is always sent, null included.
    public static func always<Value: Sendable>(
        _ name: String, _ path: WritableKeyPath<Root, Value?> & Sendable, _ type: WireType<Value>, _ about: String = ""
    ) -> Field {
        let nullable = type.orNull()
        return Field(
            name: name, aliases: [], isRequired: false, decode: { $0[keyPath: path] = try nullable.decode($1, $2) },
            encode: { nullable.encode($0[keyPath: path]) }, schema: { described(nullable.schema(), about) }, isPromised: true)
    }

    /// A field of a reply that is always sent and never null. Where another server leaves it out or sends null, the value of
    /// `init()` stays.
    public static func sent<Value: Sendable>(
        _ name: String, _ path: WritableKeyPath<Root, Value> & Sendable, _ type: WireType<Value>, _ about: String = ""
    ) -> Field {
        Field(
            name: name, aliases: [], isRequired: false, decode: { if !$1.isNull { $0[keyPath: path] = try type.decode($1, $2) } },
            encode: { type.encode($0[keyPath: path]) }, schema: { described(type.schema(), about) }, isPromised: true)
    }

    /// The schema with null allowed.
    private static func orNull(_ schema: JSONValue) -> JSONValue {
        if schema["anyOf"]?.arrayValue?.contains(["type": "null"]) ?? false { return schema }
        return ["anyOf": [schema, ["type": "null"]]]
    }

    static func described(_ schema: JSONValue, _ about: String, standard: JSONValue? = nil) -> JSONValue {
        guard case .object(var object) = schema else { return schema }
        if !about.isEmpty { object["description"] = .string(about) }
        // Null stands for a field that is not given, and mostly cannot be sent.
        if let standard, !standard.isNull { object["default"] = standard }
        return .object(object)
    }
}
