import Foundation
import Logging
import OmniAPI
import OmniConversion
import OmniEngine
import OmniGateway
import OmniGatewayServer
import OmniModels
import OmniRequests

extension ServePlan {
    /// The adapters of each language model, by its name.
    func adapterLibraries(_ flags: LoRAFlags, in folder: String, logger: Logger) -> [String: AdapterLibrary] {
        guard flags.enableLora else { return [:] }
        let languages = models.filter { $0.model.kind == .text }
        return Dictionary(
            languages.map { plan in
                let path = plan.model.path.path
                let library = AdapterLibrary(folder: folder, maxRank: flags.maxLoraRank, logger: logger) { () throws(ConversionError) in
                    guard Checkpoint.isOne(path) else { return try AdapterBase(gguf: path) }
                    return try AdapterBase(Conversion(folder: path, threads: 1, logger: logger))
                }
                return (plan.id, library)
            }, uniquingKeysWith: { own, _ in own })
    }

    /// What `--lora-modules` names, each with the name of its model and its path in full. Throws for all that cannot be used at once.
    func adapters(_ flags: LoRAFlags, in libraries: [String: AdapterLibrary]) throws -> [(module: LoRAModule, base: String)] {
        var faults: [String] = [], names = Set(models.flatMap { [$0.id] + $0.aliases } + backends.map(\.id))
        let adapters = try flags.modules.map { module in
            let base = try base(of: module)
            guard names.insert(module.name).inserted else {
                throw StartError("--lora-modules: a model or an adapter is called `\(module.name)` already.")
            }
            let full = LoRAModule(name: module.name, path: Self.absolute(module.path), baseModelName: base)
            do throws(ConversionError) { try libraries[base]?.check(full) } catch {
                faults.append("The adapter `\(module.name)` cannot be used: \(error.description)")
            }
            return (full, base)
        }
        guard faults.isEmpty else { throw StartError(faults.joined(separator: "\n")) }
        return adapters
    }

    private func base(of module: LoRAModule) throws -> String {
        let languages = models.filter { $0.model.kind == .text }
        if let name = module.baseModelName {
            guard let base = languages.first(where: { ([$0.id] + $0.aliases).contains(name) }) else {
                throw StartError(
                    "--lora-modules: the adapter `\(module.name)` is for `\(name)`, which is no language model that is served.")
            }
            return base.id
        }
        guard let base = languages.first, languages.count == 1 else {
            let what = languages.isEmpty ? "no language model is served" : "\(languages.count) language models are served"
            throw StartError("--lora-modules: \(what): say which `\(module.name)` is for with base_model_name in the JSON form.")
        }
        return base.id
    }

    private static func absolute(_ path: String) -> String {
        URL(filePath: expandingTilde(path)).standardizedFileURL.path
    }

    /// Takes adapters while the server runs, from `folder` alone where there is one.
    static func loader(of libraries: [String: AdapterLibrary], folder: String?) -> AdapterLoader {
        { module, base in
            guard let library = libraries[base.id] else {
                throw APIError.invalid("base_model_name", "`\(base.id)` takes no adapters.")
            }
            var full = module
            if let folder {
                guard let place = AdapterFolder(folder).place(of: module.path) else {
                    throw APIError(.notFound, "There is no adapter at that path in the server's folder for adapters.", param: "lora_path")
                }
                full.path = place
            } else {
                full.path = absolute(module.path)
            }
            return try await BlockingThread.run(name: "omni-adapter") { [full] in
                do throws(ConversionError) { try library.check(full) } catch { throw APIError(error, adapter: full.name) }
                return full
            }
        }
    }
}
