import Foundation
import OmniEngine

/// Finds the model that a user named, and says everything that is wrong with it before anything is loaded.
///
/// Looked for in this order: a path; a starter or other name in the data folder; a starter in the package; a Hub id in the data
/// folder, then in the Hugging Face cache. Blocks on the disk; never touches the network.
public struct ModelResolver: Sendable {
    public let locations: ModelLocations

    public init(locations: ModelLocations = .fromEnvironment()) { self.locations = locations }

    /// Resolves every model, or throws ``ModelErrors`` with the faults of all of them.
    ///
    /// - Parameter components: of the one model that is a transformer's file.
    public func resolve(_ references: [String], components: ComponentNames = ComponentNames()) throws -> [ResolvedModel] {
        var models: [ResolvedModel] = []
        var errors: [ModelError] = []
        for reference in references {
            do throws(ModelError) { models.append(try resolve(reference, components: components)) } catch { errors.append(error) }
        }
        guard errors.isEmpty else { throw ModelErrors(errors) }
        return models
    }

    /// Resolves one model. `kind` overrides what its files tell, `components` what is found beside a transformer's file.
    public func resolve(_ text: String, kind: ModelKind? = nil, components: ComponentNames = ComponentNames()) throws(ModelError)
        -> ResolvedModel
    {
        let reference = ModelReference(text)
        guard !text.isEmpty, !text.contains("\0") else {
            throw ModelError(.malformed, model: text, "A model needs a name.", remedy: nil)
        }
        // A name that climbs out of its folder names whatever lies there: only what is plainly a path may.
        if !reference.looksLikePath, reference.base.split(separator: "/").contains("..") {
            throw ModelError(.malformed, model: text, "\"..\" is no part of a model's name.", remedy: "A path begins with /, ./, ../ or ~.")
        }
        if absolute(reference.base).path == "/" {
            throw ModelError(
                .malformed, model: text, "The root of the file system is no model.", remedy: "Give the folder that the model is in.")
        }
        var model = try find(reference, components)
        if let kind { model.kind = kind }
        return model
    }

    /// The starter models that are in place.
    public func starters() -> [ResolvedModel] { StarterModel.all.compactMap { try? resolve($0.name) } }

    private func find(_ reference: ModelReference, _ components: ComponentNames) throws(ModelError) -> ResolvedModel {
        if let found = try findPath(reference, components) { return found }
        if reference.looksLikePath {
            throw ModelError(
                .missing, model: reference.text, "There is no such file or folder.", missing: [absolute(reference.base).path], remedy: nil)
        }
        for (place, source) in places(reference) where isFolder(place) || isFile(place) {
            return try inspect(place, reference, components, name: reference.text, source: source)
        }
        if let id = reference.hubID, let snapshot = HubCache(root: locations.hubCache).snapshot(of: id) {
            return try inspect(snapshot, reference, components, name: reference.text, source: .hub)
        }
        throw notFound(reference)
    }

    /// A file or folder named by its path. `name` alone is a path too when it lies in the working directory, as in vLLM.
    private func findPath(_ reference: ModelReference, _ components: ComponentNames) throws(ModelError) -> ResolvedModel? {
        for (text, variant) in [(reference.text, nil), (reference.base, reference.variant)] {
            let url = absolute(text)
            // A plain starter name must not be taken over by a folder of that name that happens to lie here.
            if !reference.looksLikePath, StarterModel.named(text) != nil { continue }
            guard isFile(url) || isFolder(url) else { continue }
            let name = isFile(url) ? url.deletingPathExtension().lastPathComponent : url.standardizedFileURL.lastPathComponent
            return try inspect(url, reference, components, variant: variant, name: name, source: .path)
        }
        return nil
    }

    private func places(_ reference: ModelReference) -> [(URL, ResolvedModel.Source)] {
        // A name with an empty or hidden component could lead outside the folder.
        let parts = reference.base.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else { return [] }
        var places: [(URL, ResolvedModel.Source)] = [(locations.homeModels.appending(path: reference.base), .home)]
        if let package = locations.packageModels, StarterModel.named(reference.base) != nil {
            places.append((package.appending(path: reference.base), .package))
        }
        return places
    }

    private func inspect(
        _ url: URL, _ reference: ModelReference, _ components: ComponentNames, name: String, source: ResolvedModel.Source
    ) throws(ModelError) -> ResolvedModel {
        try inspect(url, reference, components, variant: reference.variant, name: name, source: source)
    }

    private func inspect(
        _ url: URL, _ reference: ModelReference, _ components: ComponentNames, variant: String?, name: String, source: ResolvedModel.Source
    ) throws(ModelError) -> ResolvedModel {
        let found = ResolvedModel(reference: reference.text, name: name, kind: .text, source: source, path: url)
        if let diffusers = DiffusersFolder(url) { return try diffusers.resolve(as: found) }
        if let single = try SingleFileModel(url, variant: variant) { return try single.resolve(as: found, named: components, file) }
        if isFile(url) { return try inspectFile(url, found) }
        let ggufs = GGUFFolder(url)
        if !ggufs.isEmpty {
            return try ggufs.choose(variant, for: reference.text).resolve(in: ggufs, as: found)
        }
        let whispers = WhisperFolder(url)
        if !whispers.isEmpty { return try whispers.resolve(try whispers.choose(variant, for: reference.text), as: found) }
        if let voice = ONNXVoice(url) { return try voice.resolve(as: found) }
        if let checkpoint = TransformersFolder(url) { return try checkpoint.resolve(as: found) }
        throw unsupported(url, found)
    }

    /// A file by its path, or by `owner/name:file` in the Hub's cache; nil where it is not there.
    public func file(_ name: String) -> URL? {
        let reference = ModelReference(name)
        let url = absolute(name)
        if isFile(url) { return url }
        guard let id = reference.hubID, let variant = reference.variant, let snapshot = HubCache(root: locations.hubCache).snapshot(of: id)
        else { return nil }
        let parts = variant.split(separator: "/")
        guard !variant.hasPrefix("/"), !parts.contains("..") else { return nil }
        let exact = snapshot.appending(path: variant)
        if isFile(exact) { return exact }
        // A quantisation such as Q4_K_M, where only one file has it.
        let fitting = names(in: snapshot).filter { $0.lowercased().contains(variant.lowercased()) && $0.hasSuffix(".gguf") }
        return fitting.count == 1 ? snapshot.appending(path: fitting[0]) : nil
    }

    private func inspectFile(_ url: URL, _ found: ResolvedModel) throws(ModelError) -> ResolvedModel {
        if let name = GGUFFileName(url.lastPathComponent) {
            let first = GGUFFileName.shardNames(of: url.lastPathComponent).first ?? url.lastPathComponent
            let candidate = GGUFFolder.Candidate(file: first, name: name)
            return try candidate.resolve(in: GGUFFolder(url.deletingLastPathComponent(), nested: false), as: found)
        }
        if let file = WhisperFolder.whisper(url) { return try WhisperFolder(url.deletingLastPathComponent()).resolve(file, as: found) }
        throw ModelError(
            .unsupported, model: found.reference, "\(url.path) is neither a GGUF or safetensors file nor a Whisper of whisper.cpp's.",
            remedy:
                "A single file must be a .gguf, a .safetensors or a ggml-*.bin; diffusers checkpoints and voices are named by their folder."
        )
    }

    private func unsupported(_ url: URL, _ found: ResolvedModel) -> ModelError {
        let files = OmniModels.names(in: url)
        if files.contains(where: { $0.hasSuffix(".safetensors") || $0.hasPrefix("pytorch_model") }) {
            return ModelError(
                .missing, model: found.reference, "It has weights and no config.json, which says what network they are of.",
                missing: [url.appending(path: "config.json").path], remedy: Remedy.fetch(found))
        }
        return ModelError(
            .missing, model: found.reference,
            "\(url.path) holds no model: no GGUF file, no safetensors with their config.json, no model_index.json, no ONNX voice, no Whisper.",
            missing: [url.appending(path: "*.gguf").path + ", config.json, model_index.json or *.onnx"], remedy: Remedy.fetch(found))
    }

    private func notFound(_ reference: ModelReference) -> ModelError {
        if StarterModel.named(reference.base) != nil {
            return ModelError(
                .missing, model: reference.text, "The starter model is not in place.",
                missing: [locations.homeModels.appending(path: reference.base).path], remedy: Remedy.starter(reference.base))
        }
        if let id = reference.hubID {
            return ModelError(
                .missing, model: reference.text, "It is not on this machine, and nothing is downloaded while serving.",
                missing: [
                    HubCache(root: locations.hubCache).folder(of: id).path, locations.homeModels.appending(path: id.description).path,
                ],
                remedy: "Fetch it: omni models pull \(reference.text)")
        }
        let starters = StarterModel.all.map(\.name).joined(separator: ", ")
        return ModelError(
            .missing, model: reference.text, "There is no file, folder or starter model of that name.",
            missing: [absolute(reference.base).path, locations.homeModels.appending(path: reference.base).path],
            remedy: "Give a path, a Hub id (owner/name), or a starter: \(starters).")
    }

    private func absolute(_ path: String) -> URL { URL(filePath: expandingTilde(path)).standardizedFileURL }
}
