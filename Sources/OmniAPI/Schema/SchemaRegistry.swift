import Synchronization

/// The schemas of a document's `components`: every object that another schema names by `$ref`, found by following the names.
public final class SchemaRegistry: Sendable {
    /// The book in which objects note themselves while a schema that names them is written.
    @TaskLocal static var current: SchemaRegistry?

    private struct Pages {
        var types: [String: any WireObject.Type] = [:]
        /// Names that two types bear; a document cannot hold both.
        var clashes: Set<String> = []
    }

    private let pages = Mutex(Pages())

    public init() {}

    /// `{"$ref": …}` to a type, whose schema then is among ``components``.
    public func reference(_ type: any WireObject.Type) -> JSONValue {
        note(type)
        return Self.reference(named: type.schemaName)
    }

    /// What `write` returns; the objects that its schemas name are noted.
    public func collecting<Result>(_ write: () -> Result) -> Result { Self.$current.withValue(self, operation: write) }

    /// The noted objects and those that they name, by name.
    public func components() -> (schemas: JSONObject, clashes: [String]) {
        var written: [String: JSONValue] = [:]
        while let type = pages.withLock({ $0.types.first { written[$0.key] == nil }?.value }) {
            written[type.schemaName] = collecting { type.schema }
        }
        return (JSONObject(written.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }), pages.withLock { $0.clashes.sorted() })
    }

    static func reference(named name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }

    func note(_ type: any WireObject.Type) {
        pages.withLock { pages in
            let earlier = pages.types.updateValue(type, forKey: type.schemaName)
            if let earlier, ObjectIdentifier(earlier) != ObjectIdentifier(type) { pages.clashes.insert(type.schemaName) }
        }
    }
}
