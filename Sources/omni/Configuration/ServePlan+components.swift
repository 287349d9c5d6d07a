import Foundation
import OmniEngine
import OmniModels
import OmniSingleFiles

/// Files that flags name for one model.
extension ServePlan {
    /// Flags with which a worker finds the networks of a model that stand in files of their own, and its adapters.
    ///
    /// - Throws: `StartError` for flags that this model has no use for, `ModelError` for an adapter that is not there.
    static func components(of model: ResolvedModel, _ flags: ComponentFlags, _ resolver: ModelResolver) throws -> [String] {
        guard model.components != nil || flags.names == ComponentNames() else {
            throw StartError(
                "\(model.reference) is no transformer in a file of its own: --text-encoder, --vae and the like say nothing of it.")
        }
        guard flags.lora.isEmpty || [.image, .video].contains(model.kind) else {
            throw StartError("--lora is for models of pictures and videos, and \(model.reference) is of the kind \(model.kind.rawValue).")
        }
        let adapters = try flags.adapters.map { adapter throws(ModelError) in
            guard let file = resolver.file(adapter.path) else {
                throw ModelError(.missing, model: model.reference, "The adapter is not there.", missing: [adapter.path])
            }
            return "\(file.path):\(adapter.scale)"
        }
        return (model.components.map(arguments) ?? []) + (adapters.isEmpty ? [] : ["--lora"] + adapters)
    }

    /// The files that were found.
    private static func arguments(_ paths: ComponentPaths) -> [String] {
        let pairs = [
            ("--diffusion-model", paths.lowNoise ?? paths.transformer),
            ("--high-noise-diffusion-model", paths.lowNoise.map { _ in paths.transformer }), ("--text-encoder", paths.textEncoder),
            ("--vae", paths.vae), ("--tokenizer-file", paths.tokenizer),
        ]
        return pairs.flatMap { name, path in path.map { [name, $0] } ?? [] }
    }
}
