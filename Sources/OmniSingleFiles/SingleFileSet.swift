import Foundation
import OmniAPI
import OmniEngine
import OmniTensor

/// The files of a pipeline, each of which stands by itself.
public struct ComponentPaths: Sendable, Equatable {
    public var transformer: String
    /// Of two experts, the one for little noise; `transformer` is for much.
    public var lowNoise: String?
    public var textEncoder: String
    public var vae: String
    /// A `tokenizer.json`; nil where the text encoder's GGUF has one in it.
    public var tokenizer: String?

    public init(transformer: String, lowNoise: String? = nil, textEncoder: String, vae: String, tokenizer: String? = nil) {
        (self.transformer, self.lowNoise, self.textEncoder) = (transformer, lowNoise, textEncoder)
        (self.vae, self.tokenizer) = (vae, tokenizer)
    }

    /// Every file.
    public var all: [String] { [transformer, lowNoise, textEncoder, vae, tokenizer].compactMap(\.self) }
}

/// Single files put together to what a diffusers folder says: weights under diffusers' names, and every configuration.
public struct SingleFileSet: Sendable {
    public let paths: ComponentPaths
    /// By the component's name.
    public let weights: [String: WeightFiles]
    /// `omni.json` beside the transformer, whether or not it is there.
    public let settings: String
    private let documents: [String: JSONObject]
    private let files: [String: SingleFile]

    /// Reads headers, and `omni.json` beside the transformer where there is one: its `config` goes before what shapes tell.
    ///
    /// - Throws: ``SingleFileError`` or `TensorError`, naming the file and what is wrong with it.
    public init(_ paths: ComponentPaths) throws {
        self.paths = paths
        let transformer = try Self.part(.transformer, paths.transformer)
        guard let pipeline = SingleFilePipeline.of(transformer) else {
            throw SingleFileError(paths.transformer, "holds a transformer of \(transformer.name), which no pipeline is put together with")
        }
        var files = ["transformer": transformer]
        files["transformer_2"] = try paths.lowNoise.map { try Self.part(.transformer, $0, pipeline.transformer) }
        files["text_encoder"] = try Self.part(.textEncoder, paths.textEncoder, pipeline.textEncoder)
        files["vae"] = try Self.part(.vae, paths.vae, pipeline.vae)
        settings = URL(fileURLWithPath: paths.transformer).deletingLastPathComponent().path + "/omni.json"
        let overrides = try Self.overrides(settings)
        var documents: [String: JSONObject] = [:]
        for (component, file) in files {
            let base = component == "vae" ? file.config.merged(pipeline.vaeConfig) : file.config
            let config = base.merged(overrides[component]?.objectValue ?? JSONObject())
            if let open = file.open.first(where: { config[$0] == nil }) {
                throw SingleFileError(file.path, "is of no published size: put \(open) into the config of \(component) in \(settings)")
            }
            documents["\(component)/config.json"] = config
        }
        let circumstances = Circumstances(
            transformer, config: documents["transformer/config.json"] ?? JSONObject(), hasSecond: paths.lowNoise != nil)
        documents["model_index.json"] = try pipeline.index(circumstances).merged(overrides["model_index"]?.objectValue ?? JSONObject())
        documents["scheduler/scheduler_config.json"] = pipeline.scheduler(circumstances)
            .merged(overrides["scheduler"]?.objectValue ?? JSONObject())
        self.documents = documents
        self.files = files
        weights = files.mapValues(\.weights)
    }

    /// The class of the pipeline.
    public var pipelineClass: String { documents["model_index.json"]?["_class_name"]?.stringValue ?? "" }

    /// Words that the text encoder has vectors for.
    public var vocabulary: Int { documents["text_encoder/config.json"]?["vocab_size"]?.intValue ?? 0 }

    /// What a file of a diffusers folder would hold, as `transformer/config.json`; nil where it would not be there.
    public func document(_ name: String) -> Data? { documents[name].map { Data(JSONValue.object($0).jsonText.utf8) } }

    /// The order that brings outputs of a component's tensor into diffusers'; nil where the file has that already.
    public func order(_ component: String, _ name: String, _ outputs: Int) -> [Int]? {
        files[component]?.order(name, outputs)
    }

    private static func part(_ part: ComponentPart, _ path: String, _ name: String? = nil) throws -> SingleFile {
        let found = try SingleFile.read(path)
        guard let file = found.first(where: { $0.part == part && (name == nil || $0.name == name) }) else {
            let there = found.map { "\($0.name) (\($0.part.rawValue))" }.joined(separator: ", ")
            throw SingleFileError(path, "holds \(there), not \(name ?? "a transformer")")
        }
        return file
    }

    private static func overrides(_ path: String) throws -> JSONObject {
        guard let data = FileManager.default.contents(atPath: path) else { return JSONObject() }
        guard let object = (try? JSONValue.parse(data))?.objectValue else { throw SingleFileError(path, "is no JSON object") }
        return object["config"]?.objectValue ?? JSONObject()
    }
}

extension Circumstances {
    init(_ file: SingleFile, config: JSONObject, hasSecond: Bool) {
        let stem = URL(fileURLWithPath: file.path).deletingPathExtension().lastPathComponent.lowercased()
        self.init(
            name: stem.replacingOccurrences(of: "_", with: "-").replacingOccurrences(of: " ", with: "-"), config: config,
            hasSecond: hasSecond)
    }
}

extension JSONObject {
    /// With the members of another, which go before its own.
    func merged(_ other: JSONObject) -> JSONObject {
        var merged = self
        for member in other.members { merged[member.key] = member.value }
        return merged
    }
}
