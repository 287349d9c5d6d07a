import Foundation
import OmniAPI
import OmniTensor

/// A language model as transformers publishes it: a folder with `config.json`, weights as safetensors, and a tokenizer. Making one reads
/// `config.json` and the headers of the weights, nothing else.
public struct Checkpoint: Sendable {
    public let folder: String
    /// What `config.json` says of the language model, and what it says at its top.
    let config: Config
    let root: Config
    let architecture: Architecture
    let weights: WeightFiles
    /// Which of several networks it is, as its GGUF's name says it; empty for the one that writes.
    let part: String

    /// Whether the folder looks like one, whole or not.
    public static func isOne(_ folder: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(folder)/config.json")
            && names(in: folder).contains { isWeights($0) || $0.hasPrefix("pytorch_model") }
    }

    /// Throws ``ConversionError``: no known architecture, a shard that is not there, a file that is cut short …
    public init(folder: String) throws(ConversionError) {
        self.folder = folder
        let path = "\(folder)/config.json"
        guard let json = try Self.json(path) else { throw ConversionError(.missing, path, "It is not there.") }
        guard let object = json.objectValue else { throw ConversionError(.damaged, path, "It is no JSON object.") }
        part = ""
        let plain = Config(object, path: path)
        architecture = try Architecture.of(class: plain.className, path: path, titles: Self.titles(folder))
        root = plain
        config = Config(Config.merged(object, architecture.sections), path: path, defaults: architecture.defaults)
        if let method = config["quantization_config"]?["quant_method"]?.stringValue {
            throw plain.unsupported("The weights are quantized by \(method), which is not read; take the checkpoint that it was made from.")
        }
        try architecture.check(config)
        try architecture.projector?.check(plain)
        weights = try Self.weights(folder)
    }

    /// One network of a checkpoint that holds several: `config` is its own part of `config.json`.
    init(folder: String, config: Config, root: Config, architecture: Architecture, part: String) throws(ConversionError) {
        (self.folder, self.config, self.root, self.architecture, self.part) = (folder, config, root, architecture, part)
        try architecture.check(config)
        weights = try Self.weights(folder)
    }

    /// `general.architecture` of its GGUF.
    public var architectureName: String { architecture.name }
    /// Sees pictures or hears sound: an mmproj belongs to its GGUF.
    public var hasProjector: Bool { architecture.projector != nil }
    /// Tells classes of texts, or how well a pair fits.
    public var isClassifier: Bool { architecture.isClassifier }
    /// Makes vectors: by its class, or because sentence-transformers' `modules.json` says how.
    public var isEmbedding: Bool { architecture.isEmbedding || FileManager.default.fileExists(atPath: "\(folder)/modules.json") }
    /// The folder's name, or the repository's where it lies in the Hub's cache (`models--owner--name/snapshots/commit`).
    public var name: String { Self.name(of: folder) }

    private static func name(of folder: String) -> String {
        let place = URL(filePath: folder), parent = place.deletingLastPathComponent()
        let repository = parent.deletingLastPathComponent().lastPathComponent
        guard parent.lastPathComponent == "snapshots", repository.hasPrefix("models--") else { return place.lastPathComponent }
        return String(repository.split(separator: "--").last ?? "model")
    }
    /// What the checkpoint is called: its name and the headings of its README, in small letters.
    private static func titles(_ folder: String) -> [String] {
        let headings = text("\(folder)/README.md")?.split(separator: "\n").filter { $0.hasPrefix("# ") }.map(String.init) ?? []
        return ([name(of: folder)] + headings).map { $0.lowercased() }
    }

    /// Bytes of the weights.
    public var byteCount: Int { weights.entries.values.reduce(0) { $0 + $1.byteCount } }

    private static func weights(_ folder: String) throws(ConversionError) -> WeightFiles {
        let names = names(in: folder)
        guard names.contains(where: isWeights) else {
            let pickles = names.contains { $0.hasPrefix("pytorch_model") }
            throw ConversionError(
                .missing, "\(folder)/model.safetensors",
                "It is not there." + (pickles ? " Weights as pickles (pytorch_model.bin) can run code and are not read." : ""))
        }
        let index = names.first { $0.hasSuffix(".safetensors.index.json") }
        if let index { try checkShards("\(folder)/\(index)", folder) }
        // Beside these, some publish the same weights in another form.
        let isOne = index == nil && names.contains("model.safetensors")
        return try opened(isOne ? "\(folder)/model.safetensors" : folder)
    }

    /// Weights whose headers are read. Throws ``ConversionError`` for what is cut short or damaged.
    static func opened(_ place: String) throws(ConversionError) -> WeightFiles {
        do {
            return try WeightFiles(path: place)
        } catch let error as TensorError {
            guard case .file(let path, let reason) = error else { throw ConversionError(.damaged, place, "\(error).") }
            throw ConversionError(.damaged, path, "It \(reason).", remedy: "Fetch it again.")
        } catch {
            throw ConversionError(.damaged, place, "\(error.localizedDescription)")
        }
    }

    /// All missing shards at once.
    private static func checkShards(_ index: String, _ folder: String) throws(ConversionError) {
        guard let map = try json(index)?["weight_map"]?.objectValue else { throw ConversionError(.damaged, index, "It has no weight_map.") }
        let shards = Set(map.members.compactMap { $0.value.stringValue }).sorted()
        if let odd = shards.first(where: { $0.contains("/") || $0.hasPrefix(".") || $0.isEmpty }) {
            throw ConversionError(.damaged, index, "It names the shard \(odd), which lies outside of the folder.")
        }
        let missing = shards.filter { !FileManager.default.fileExists(atPath: "\(folder)/\($0)") }
        guard missing.isEmpty else {
            throw ConversionError(
                .missing, folder,
                "Of its \(shards.count) files of weights \(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") not there.",
                remedy: "Fetch it again.")
        }
    }

    private static func isWeights(_ name: String) -> Bool { name.hasSuffix(".safetensors") || name.hasSuffix(".safetensors.index.json") }

    private static func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    /// A file of JSON; nil where there is none.
    static func json(_ path: String) throws(ConversionError) -> JSONValue? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        do {
            return try JSONValue.parse(Data(contentsOf: URL(filePath: path), options: .mappedIfSafe))
        } catch let error as JSONSyntaxError {
            throw ConversionError(.damaged, path, "It is no JSON: \(error.reason), at byte \(error.offset).", remedy: "Fetch it again.")
        } catch {
            throw ConversionError(.damaged, path, "It cannot be read: \(error.localizedDescription)")
        }
    }

    /// A file of text; nil where there is none.
    static func text(_ path: String) -> String? { FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } }
}
