import HTTPTypes
import Hummingbird
import OmniAPI
import OmniAccess
import OmniEngine
import OmniGateway
import OmniHTTP

/// Checks an adapter against the model that it is to change, and gives it back with its path in full. Throws ``APIError``.
public typealias AdapterLoader = @Sendable (LoRAModule, _ base: CatalogueEntry) async throws -> LoRAModule

/// `/v1/load_lora_adapter`, `/v1/unload_lora_adapter`: adapters come and go while the server runs.
struct LoRARoutes: RouteGroup {
    let catalogue: Catalogue
    /// Nil where that is off.
    let loader: AdapterLoader?

    func add(to table: inout RouteTable) {
        let load = RouteDoc("Offers a low-rank adapter of a language model as a model; off unless the server allows it.", .models)
            .takes(LoadLoRARequest.self)
            .answers(.text, as: "text/plain", "That it was.").fails(.reading + [.notFound, .permissionDenied])
        table.add(.post, "/v1/load_lora_adapter", load) { request, context in
            let (asked, ignored) = try context.decode(LoadLoRARequest.self, from: try await context.collectJSON(request))
            let loader = try allowed()
            let holder = catalogue.all.first { $0.names.contains(asked.name) }
            guard holder == nil || (asked.inPlace && holder?.parent != nil) else {
                throw APIError.invalid(
                    "lora_name", "A model or an adapter is called `\(asked.name)` already.",
                    remedy: "`load_inplace` puts an adapter in another's place.")
            }
            let base = try catalogue.entry(named: asked.baseModelName, able: [.chat], task: "chat")
            guard base.parent == nil, base.kind == .text else {
                throw APIError.invalid("base_model_name", "`\(base.id)` is no language model of this server.")
            }
            try KeyLease.current?.check(model: base.names)
            let module = try await loader(LoRAModule(name: asked.name, path: asked.path, baseModelName: base.id), base)
            catalogue.adapters.put(module, on: base)
            return .text(
                "Success: LoRA adapter '\(asked.name)' added successfully.", contentType: "text/plain; charset=utf-8", ignored: ignored)
        }
        let unload = RouteDoc("Takes an adapter off the list of models; requests that run end as they would.", .models)
            .takes(UnloadLoRARequest.self)
            .answers(.text, as: "text/plain", "That it was.").fails(.reading + [.notFound, .permissionDenied])
        table.add(.post, "/v1/unload_lora_adapter", unload) { request, context in
            let (asked, ignored) = try context.decode(UnloadLoRARequest.self, from: try await context.collectJSON(request))
            _ = try allowed()
            if let entry = catalogue.adapters.entries.first(where: { $0.id == asked.name }) {
                try KeyLease.current?.check(model: entry.names)
            }
            guard catalogue.adapters.remove(asked.name) else {
                throw APIError(.notFound, "The lora adapter '\(asked.name)' cannot be found.", param: "lora_name")
            }
            return .text(
                "Success: LoRA adapter '\(asked.name)' removed successfully.", contentType: "text/plain; charset=utf-8", ignored: ignored)
        }
    }

    private func allowed() throws -> AdapterLoader {
        guard let loader else {
            throw APIError(
                .notFound, "This server takes no adapters while it runs.",
                remedy: "--enable-lora with --allow-runtime-lora-updating, or VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, allows it.")
        }
        return loader
    }
}
