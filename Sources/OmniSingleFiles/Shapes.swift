import OmniAPI
import OmniGGUF
import OmniTensor

/// What the tensors of a component tell about its sizes.
struct Shapes: Sendable {
    let source: String
    let entries: [String: WeightEntry]
    /// Of a GGUF.
    let header: GGUFHeader?

    func has(_ name: String) -> Bool { entries[name] != nil }

    /// Fastest axis first.
    func axes(_ name: String) throws -> [Int] {
        guard let entry = entries[name] else { throw SingleFileError(source, "has no tensor \(name)") }
        return entry.axes
    }

    func inputs(_ name: String) throws -> JSONValue { .int(try axes(name)[0]) }
    func outputs(_ name: String) throws -> Int { try axes(name).last ?? 0 }

    /// How many are counted behind `prefix`, as in `layers.0.`, `layers.1.` …
    func count(_ prefix: String) -> Int {
        let places = entries.keys.compactMap { name in
            name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count).prefix { $0.isNumber }) : nil
        }
        return (places.max() ?? -1) + 1
    }
}

/// Why single files make no pipeline.
public struct SingleFileError: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    public let reason: String
    public var description: String { "\(path): \(reason)" }

    init(_ path: String, _ reason: String) { (self.path, self.reason) = (path, reason) }
}
