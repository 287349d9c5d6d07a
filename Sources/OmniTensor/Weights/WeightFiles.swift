import Foundation

/// The tensors of one component of a checkpoint, wherever they lie. Opening reads headers only.
public struct WeightFiles: Sendable {
    /// The folder or file they come from.
    public let source: String
    public let entries: [String: WeightEntry]

    /// Tensors that were found already, perhaps under other names.
    package init(source: String, entries: [String: WeightEntry]) { (self.source, self.entries) = (source, entries) }

    /// Reads the headers of `path`: a folder with an index and its shards, a folder with one safetensors or GGUF file, or
    /// such a file.
    ///
    /// - Throws: ``TensorError`` naming the file: missing, cut short, or not holding what the index says.
    public init(path: String) throws {
        source = path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw TensorError.file(path: path, reason: "does not exist")
        }
        guard isFolder.boolValue else {
            entries = try Self.merge([path])
            return
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        if let index = names.first(where: { $0.hasSuffix(".safetensors.index.json") }) {
            entries = try Self.indexed("\(path)/\(index)", folder: path)
            return
        }
        let files = names.filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".gguf") }
        guard files.count == 1 else {
            throw TensorError.file(
                path: path, reason: files.isEmpty ? "holds no weights" : "holds \(files.count) files of weights, but no index")
        }
        entries = try Self.merge(["\(path)/\(files[0])"])
    }

    /// Bytes in the files.
    public var byteCount: Int { entries.values.reduce(0) { $0 + $1.byteCount } }

    private static func merge(_ paths: [String]) throws -> [String: WeightEntry] {
        var all: [String: WeightEntry] = [:]
        for path in paths {
            for entry in try path.hasSuffix(".gguf") ? GGUF.entries(path: path) : Safetensors.entries(path: path) {
                guard all.updateValue(entry, forKey: entry.name) == nil else {
                    throw TensorError.file(path: path, reason: "tensor \(entry.name) is in another file too")
                }
            }
        }
        return all
    }

    private static func indexed(_ index: String, folder: String) throws -> [String: WeightEntry] {
        struct Index: Decodable { let weight_map: [String: String] }
        let map: [String: String]
        do {
            map = try JSONDecoder().decode(Index.self, from: Data(contentsOf: URL(fileURLWithPath: index))).weight_map
        } catch {
            throw TensorError.file(path: index, reason: "is no index of shards: \(error)")
        }
        let shards = Set(map.values).sorted()
        if let odd = shards.first(where: { $0.contains("/") || $0.isEmpty }) {
            throw TensorError.file(path: index, reason: "names the shard \(odd), which lies elsewhere")
        }
        let all = try merge(shards.map { "\(folder)/\($0)" })
        for (name, shard) in map where all[name]?.file.path != "\(folder)/\(shard)" {
            throw TensorError.file(path: "\(folder)/\(shard)", reason: "tensor \(name) is not in it, but the index says so")
        }
        return all
    }
}
