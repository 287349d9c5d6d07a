import Foundation
import OmniEngine
import OmniGGUF
import OmniSingleFiles

/// Files that a user names for the parts of a picture or video model, each as a path or as `owner/name:file` on the Hub; nil where they
/// are to be found.
public struct ComponentNames: Sendable, Equatable {
    /// Of two experts, the one for much noise: the model's own file is then for little.
    public var highNoise: String?
    public var textEncoder, vae, tokenizer: String?

    public init(highNoise: String? = nil, textEncoder: String? = nil, vae: String? = nil, tokenizer: String? = nil) {
        (self.highNoise, self.textEncoder, self.vae, self.tokenizer) = (highNoise, textEncoder, vae, tokenizer)
    }

    /// By part.
    var byPart: [String: String] {
        ["transformer_2": highNoise, "text_encoder": textEncoder, "vae": vae, "tokenizer": tokenizer].compactMapValues(\.self)
    }
}

/// A picture or video model whose networks stand in files of their own: a folder with the three, ComfyUI's folders, or a transformer's file
/// whose companions lie beside it or in the Hub's cache.
struct SingleFileModel {
    private let transformer: URL
    private let files: [URL]

    /// ComfyUI's folders of files that belong to each other, and those of pairs of experts.
    private static let folders = [
        "diffusion_models", "unet", "text_encoders", "clip", "vae", "tokenizer", "HighNoise", "LowNoise", "split_files/diffusion_models",
        "split_files/text_encoders", "split_files/vae",
    ]

    /// Nil for a file that is another kind of model by its name or header, and for a folder with none that holds a transformer.
    init?(_ place: URL, variant: String?) throws(ModelError) {
        if isFile(place) {
            guard Self.mayBe(place) else { return nil }
            let folder = place.deletingLastPathComponent()
            transformer = place
            files = Self.files(folder) + Self.files(folder.deletingLastPathComponent(), top: false)
            return
        }
        guard !isFile(place.appending(path: "config.json")) else { return nil }
        files = Self.files(place)
        let wanted = variant?.lowercased()
        let found = files.filter { file in
            Self.mayBe(file) && (wanted.map { file.lastPathComponent.lowercased().contains($0) } ?? true)
                && (try? SingleFileSearch(transformer: file.path)) != nil
        }
        guard let first = found.first else { return nil }
        // Two experts are one model.
        let search = try? SingleFileSearch(transformer: first.path)
        let pair = search?.search(found.map(\.path), named: [:]).files["transformer_2"] ?? []
        guard found.count == 1 || (found.count == 2 && pair.count == 1) else {
            throw ModelError(
                .ambiguous, model: place.path, "It holds several transformers: \(found.map(\.lastPathComponent).joined(separator: ", ")).",
                remedy: "Give the path of one.")
        }
        transformer = first
    }

    func resolve(as found: ResolvedModel, named: ComponentNames, _ locate: (String) -> URL?) throws(ModelError) -> ResolvedModel {
        do {
            let search = try SingleFileSearch(transformer: transformer.path)
            var chosen: [String: String] = [:]
            for (part, name) in named.byPart {
                guard let url = locate(name) else {
                    throw ModelError(
                        .missing, model: found.reference, "The \(part) that was named is not there.", missing: [name],
                        remedy: ModelReference(name).hubID == nil ? nil : "Fetch it: omni models pull \(name)")
                }
                chosen[part] = url.path
            }
            let local = search.search(files.map(\.path), named: chosen)
            var complete = local
            if !local.missing.isEmpty {
                let cached = search.companions.filter { local.missing.contains($0.part) }.compactMap { companion in
                    locate(companion.reference)?.path
                }
                complete = search.search(files.map(\.path) + cached, named: chosen)
            }
            guard var paths = search.paths(complete) else { throw Self.incomplete(search, complete, found) }
            if let high = chosen["transformer_2"] { (paths.transformer, paths.lowNoise) = (high, transformer.path) }
            let set = try SingleFileSet(paths)
            guard let family = PipelineFamily.of(pipeline: set.pipelineClass) else {
                throw ModelError(.unsupported, model: found.reference, "\(set.pipelineClass) is not a pipeline that this build knows.")
            }
            var model = found
            (model.kind, model.architecture, model.path, model.components) = (family.kind, set.pipelineClass, transformer, paths)
            model.size = paths.all.reduce(0) { $0 + (fileSize(URL(filePath: $1)) ?? 0) }
            return model
        } catch let error as ModelError {
            throw error
        } catch {
            throw ModelError(
                .unsupported, model: found.reference, "\(error).",
                remedy: "docs/models.md says which files are loaded; what was cut short or altered has to be fetched again.")
        }
    }

    private static func incomplete(_ search: SingleFileSearch, _ found: SingleFileSearch.Found, _ model: ResolvedModel) -> ModelError {
        if let (part, files) = found.files.sorted(by: { $0.key < $1.key }).first(where: { $0.value.count > 1 }) {
            let flag = part == "transformer_2" ? "high-noise-diffusion-model" : part.replacing("_", with: "-")
            return ModelError(
                .ambiguous, model: model.reference, "Several files could be its \(part): \(files.joined(separator: ", ")).",
                remedy: "Name one: --\(flag) FILE")
        }
        let companions = search.companions.filter { found.missing.contains($0.part) }
        let commands = companions.map { "omni models pull \($0.reference)" }
        return ModelError(
            .missing, model: model.reference, "The transformer of \(search.name) is there, but not all that belongs to it.",
            missing: found.missing.map(search.description),
            remedy: "Put it beside the transformer, name it (--text-encoder, --vae, --tokenizer-file), or fetch it:\n    "
                + commands.joined(separator: "\n    "),
            companions: companions.map(\.reference))
    }

    /// Whether a file could hold a network of a picture or video model.
    private static func mayBe(_ file: URL) -> Bool {
        if file.pathExtension == "safetensors" { return true }
        guard file.pathExtension == "gguf", let header = try? GGUFHeader(readingFrom: file) else { return false }
        // stable-diffusion.cpp names no architecture, others one of their own.
        return ["unknown", "pig", "cow"].contains(header.architecture) || PipelineFamily.of(ggufArchitecture: header.architecture) != nil
    }

    /// Files of weights and tokenizers in a folder and in those in it that have a known name.
    private static func files(_ folder: URL, top: Bool = true) -> [URL] {
        let places = (top ? [folder] : []) + folders.map { folder.appending(path: $0) }
        return places.flatMap { place in
            OmniModels.names(in: place).map { place.appending(path: $0) }.filter { file in
                isFile(file) && (["safetensors", "gguf"].contains(file.pathExtension) || file.lastPathComponent == "tokenizer.json")
            }
        }
    }
}
