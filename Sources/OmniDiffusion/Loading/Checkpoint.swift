import Foundation
import OmniEngine
import OmniTensor

/// A folder in the diffusers layout: `model_index.json` and a folder for each component. Reads nothing but what is asked.
struct Checkpoint {
    let folder: String
    let backend: Backend
    let options: DiffusionOptions
    let progress: @Sendable (LoadProgress) -> Void
    /// The pipeline that the checkpoint was made for, and its family.
    let pipelineClass: String
    let family: PipelineFamily
    private let files: [String: WeightFiles]

    init(folder: String, backend: Backend, options: DiffusionOptions, progress: @escaping @Sendable (LoadProgress) -> Void) throws {
        struct Index: Decodable { let _class_name: String }
        self.folder = folder
        self.backend = backend
        self.options = options
        self.progress = progress
        pipelineClass = try Self.decode(Index.self, "\(folder)/model_index.json")._class_name
        guard let family = PipelineFamily.of(pipeline: pipelineClass) else {
            throw DiffusionError.unsupported("a checkpoint of \(pipelineClass)")
        }
        self.family = family
        // All headers first: what is cut short is found before a byte is loaded.
        var files: [String: WeightFiles] = [:]
        for component in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(component)")) ?? []
            guard
                names.contains(where: { $0.hasSuffix(".safetensors") || $0.hasSuffix(".gguf") || $0.hasSuffix(".safetensors.index.json") })
            else { continue }
            files[component] = try WeightFiles(path: "\(folder)/\(component)")
        }
        self.files = files
    }

    /// Whether there are weights of a component.
    func has(_ component: String) -> Bool { files[component] != nil }

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
        guard FileManager.default.fileExists(atPath: "\(folder)/omni.json") else { return ModelDefaults() }
        return try config(".", file: "omni.json")
    }

    /// `config.json` of a component, or another file of it.
    func config<Value: Decodable>(_ component: String, file: String = "config.json") throws -> Value {
        try Self.decode(Value.self, "\(folder)/\(component)/\(file)")
    }

    /// Loads a component's weights; `options` come with the threads and the quantization already set.
    func weights(_ component: String, _ adjust: (inout WeightOptions) -> Void = { _ in }) throws -> WeightStore {
        guard let files = files[component] else {
            throw DiffusionError.checkpoint(path: "\(folder)/\(component)", reason: "holds no weights")
        }
        var weights = WeightOptions()
        weights.threads = options.loadThreads
        weights.maps = options.mapsWeights
        weights.quantization = options.quantization[component]
        adjust(&weights)
        return try WeightStore(files, on: backend, options: weights) { done, all in
            progress(LoadProgress(component: component, done: done, total: all))
        }
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw DiffusionError.checkpoint(path: path, reason: "is missing")
        }
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw DiffusionError.checkpoint(path: path, reason: "is broken: \(error)")
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
