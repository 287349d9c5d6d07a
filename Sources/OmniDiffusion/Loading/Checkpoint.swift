import Foundation
import OmniEngine
import OmniSingleFiles
import OmniTensor
import OmniTokenizer

/// Where a checkpoint lies.
public enum CheckpointSource: Sendable, Equatable {
    /// In the diffusers layout: `model_index.json` and a folder for each component.
    case folder(String)
    /// Each network in a file of its own.
    case files(ComponentPaths)

    /// For messages.
    public var path: String {
        switch self {
        case .folder(let folder): folder
        case .files(let paths): paths.transformer
        }
    }
}

/// What a pipeline is loaded from. Reads nothing but what is asked.
struct Checkpoint {
    let path: String
    let backend: Backend
    let options: DiffusionOptions
    let progress: @Sendable (LoadProgress) -> Void
    /// The pipeline that the checkpoint was made for, and its family.
    let pipelineClass: String
    let family: PipelineFamily
    private let parts: any CheckpointParts

    init(
        _ source: CheckpointSource, backend: Backend, options: DiffusionOptions, progress: @escaping @Sendable (LoadProgress) -> Void
    ) throws {
        struct Index: Decodable { let _class_name: String }
        (path, self.backend, self.options, self.progress) = (source.path, backend, options, progress)
        switch source {
        case .folder(let folder): parts = try FolderParts(folder)
        case .files(let paths): parts = try SingleFileParts(paths)
        }
        pipelineClass = try Self.decode(Index.self, parts, "model_index.json")._class_name
        guard let family = PipelineFamily.of(pipeline: pipelineClass) else {
            throw DiffusionError.unsupported("a checkpoint of \(pipelineClass)")
        }
        self.family = family
    }

    /// Whether there are weights of a component.
    func has(_ component: String) -> Bool { parts.weights[component] != nil }

    /// `omni.json`, which a checkpoint may have beside `model_index.json`: what a request leaves open.
    struct ModelDefaults: Decodable {
        /// Pixels, pictures of a video.
        var width, height, frames: Int?
        /// Pictures a second.
        var fps: Double?
        var steps: Int?
        var guidance_scale, strength: Float?
    }

    /// Empty without the file.
    func modelDefaults() throws -> ModelDefaults {
        parts.document("omni.json") == nil ? ModelDefaults() : try Self.decode(ModelDefaults.self, parts, "omni.json")
    }

    /// `model_index.json`.
    func index<Value: Decodable>() throws -> Value { try Self.decode(Value.self, parts, "model_index.json") }

    /// `config.json` of a component, or another file of it.
    func config<Value: Decodable>(_ component: String, file: String = "config.json") throws -> Value {
        try Self.decode(Value.self, parts, "\(component)/\(file)")
    }

    func tokenizer() throws -> Tokenizer { try parts.tokenizer() }

    /// The tokenizer's chat form, which must be that of the Qwen models.
    func chat() throws -> ChatML { try parts.chat() }

    /// That of an added token such as `<|im_end|>`, which the pipeline needs.
    func id(of token: String, in tokenizer: Tokenizer) throws -> Int {
        guard let id = tokenizer.id(ofAdded: token) else {
            throw DiffusionError.checkpoint(path: parts.place("tokenizer"), reason: "has no token \(token)")
        }
        return id
    }

    /// Loads a component's weights; `options` come with the threads and the quantization already set.
    func weights(_ component: String, _ adjust: (inout WeightOptions) -> Void = { _ in }) throws -> WeightStore {
        guard let files = parts.weights[component] else {
            throw DiffusionError.checkpoint(path: parts.place(component), reason: "holds no weights")
        }
        var weights = WeightOptions()
        weights.threads = options.loadThreads
        weights.maps = options.mapsWeights
        weights.quantization = options.quantization[component]
        adjust(&weights)
        weights.order = { [order = weights.order, parts] in order($0, $1) ?? parts.order(component, $0, $1) }
        return try WeightStore(files, on: backend, options: weights) { done, all in
            progress(LoadProgress(component: component, done: done, total: all))
        }
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ parts: any CheckpointParts, _ name: String) throws -> Value {
        guard let data = parts.document(name) else { throw DiffusionError.checkpoint(path: parts.place(name), reason: "is missing") }
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw DiffusionError.checkpoint(path: parts.place(name), reason: "is broken: \(error)")
        }
    }
}

/// How far loading is.
public struct LoadProgress: Sendable, Equatable {
    /// Folder of the component.
    public let component: String
    /// Bytes of this component.
    public let done: Int
    public let total: Int
}
