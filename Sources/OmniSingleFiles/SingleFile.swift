import Foundation
import OmniAPI
import OmniGGUF
import OmniTensor

/// A network in a file of its own, under diffusers' names.
public struct SingleFile: Sendable {
    public let path: String
    public let part: ComponentPart
    /// Of the layout: a family's name, `Qwen3`, `UMT5` …
    public let name: String
    public let weights: WeightFiles
    let config: JSONObject
    let open: [String]
    private let swapped: Set<String>

    /// The networks in the file at `path`, which may have several. Reads headers only.
    ///
    /// - Throws: `TensorError` for a broken file, ``SingleFileError`` for one that holds nothing of what is known, or too much.
    public static func read(_ path: String) throws -> [SingleFile] {
        let files = try WeightFiles(path: path)
        let header = path.hasSuffix(".gguf") ? try? GGUFHeader(readingFrom: URL(fileURLWithPath: path)) : nil
        let names = Set(files.entries.keys)
        let found = ComponentLayout.all.compactMap { layout in prefix(of: layout, names).map { (layout, $0) } }
        if let foreign = ForeignNetwork.named(names, header) {
            throw SingleFileError(path, "holds \(foreign), which cannot be loaded from a single file")
        }
        guard !found.isEmpty else { throw SingleFileError(path, "holds no network that is known: its tensors are called \(sample(names))") }
        return try found.map { layout, prefix in try SingleFile(files, header, layout, prefix) }
    }

    private init(_ files: WeightFiles, _ header: GGUFHeader?, _ layout: ComponentLayout, _ prefix: String) throws {
        let raw = files.entries.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) }
        let shapes = Shapes(source: files.source, entries: Dictionary(uniqueKeysWithValues: raw), header: header)
        var entries: [String: WeightEntry] = [:]
        for (name, entry) in raw.sorted(by: { $0.0 < $1.0 }) {
            guard let targets = layout.names(name, shapes) else {
                throw SingleFileError(files.source, "holds the tensor \(name), which no \(layout.name) has that is known here")
            }
            for (place, target) in targets.enumerated() {
                guard var part = entry.part(place, of: targets.count) else {
                    throw SingleFileError(files.source, "has \(name) of the shape \(entry.axes), which is not \(targets.count) equal parts")
                }
                if layout.flattens(target), part.axes.dropLast(2).allSatisfy({ $0 == 1 }) { part = part.along(Array(part.axes.suffix(2))) }
                guard entries.updateValue(part.named(target), forKey: target) == nil else {
                    throw SingleFileError(files.source, "has \(target) twice, once as \(name)")
                }
            }
        }
        (path, part, name, open, swapped) = (files.source, layout.part, layout.name, layout.open, layout.swapped)
        weights = WeightFiles(source: files.source, entries: entries)
        config = try layout.config(Shapes(source: files.source, entries: entries, header: header))
    }

    /// What its shapes and metadata tell, as `config.json` would say it.
    public var configuration: Data { Data(JSONValue.object(config).jsonText.utf8) }

    /// The order that brings outputs of a tensor into diffusers'; nil where the file has that already.
    public func order(_ name: String, _ outputs: Int) -> [Int]? {
        swapped.contains(name) ? Array(outputs / 2..<outputs) + Array(0..<outputs / 2) : nil
    }

    /// The shortest text that stands before all of a layout's marks.
    private static func prefix(of layout: ComponentLayout, _ names: Set<String>) -> String? {
        for marks in layout.marks {
            let prefixes = names.compactMap { name -> String? in
                guard name.hasSuffix(marks[0]) else { return nil }
                let prefix = String(name.dropLast(marks[0].count))
                return (prefix.isEmpty || prefix.hasSuffix(".")) && marks.allSatisfy { names.contains(prefix + $0) } ? prefix : nil
            }
            if let shortest = prefixes.min(by: { $0.count < $1.count }) { return shortest }
        }
        return nil
    }

    private static func sample(_ names: Set<String>) -> String { names.sorted().prefix(3).joined(separator: ", ") + " …" }
}
