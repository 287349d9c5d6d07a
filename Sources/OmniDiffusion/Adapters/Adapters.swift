import Foundation
import OmniEngine
import OmniTensor

/// Low-rank adapters in memory, the last few that were used. Confined to the worker's queue.
final class Adapters {
    private let networks: any LoadedNetworks
    private let backend: Backend
    private var loaded: [(path: String, changed: Date?, adapter: Adapter)] = []
    private static let kept = 4

    init(_ networks: any LoadedNetworks, _ backend: Backend) {
        self.networks = networks
        self.backend = backend
    }

    /// The changes that a request's adapters make together.
    func deltas(_ wanted: [ImageAdapter]) throws -> LowRankDeltas {
        var deltas = LowRankDeltas()
        for adapter in wanted { try load(adapter.path).add(to: &deltas, networks, scale: adapter.scale) }
        return deltas
    }

    private func load(_ path: String) throws -> Adapter {
        let changed = (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
        if let place = loaded.firstIndex(where: { $0.path == path && $0.changed == changed }) {
            loaded.append(loaded.remove(at: place))
            return loaded[loaded.count - 1].adapter
        }
        let adapter: Adapter
        do {
            adapter = try Adapter(path, networks, backend)
        } catch let error as TensorError {
            throw ImageModelError.invalid(parameter: "lora", reason: "\(error)")
        }
        loaded.removeAll { $0.path == path }
        loaded.append((path, changed, adapter))
        if loaded.count > Self.kept { loaded.removeFirst() }
        return adapter
    }
}

/// One adapter file. Of two experts it changes the first, as diffusers has it unless told otherwise. Names are the model's with `transformer.` or `diffusion_model.` before and `.lora_A` / `.lora_B` or
/// `.lora_down` / `.lora_up` behind; or flat, `lora_unet_` and underscores.
struct Adapter {
    private struct Change {
        let target, down, up: String
        /// Of `up`, where it is for several targets together: this part of so many.
        let part, parts: Int
        let scale: Float
    }

    private let store: WeightStore
    private let changes: [Change]

    init(_ path: String, _ networks: any LoadedNetworks, _ backend: Backend) throws {
        let files = try WeightFiles(path: path)
        let targets = Self.targets(networks)
        var options = WeightOptions()
        options.order = { name, outputs in
            guard let part = Part(name), part.kind == .up, let all = targets[part.module], outputs % all.count == 0 else { return nil }
            let size = outputs / all.count
            let orders = all.map { networks.order($0, size) }
            guard orders.contains(where: { $0 != nil }) else { return nil }
            return orders.enumerated().flatMap { place, order in (order ?? Array(0..<size)).map { place * size + $0 } }
        }
        let store = try WeightStore(files, on: backend, options: options)
        self.store = store
        var modules: [String: [Part.Kind: String]] = [:]
        for name in store.names {
            guard let part = Part(name) else {
                throw ImageModelError.invalid(parameter: "lora", reason: "\(path) holds \(name), which is not supported")
            }
            modules[part.module, default: [:]][part.kind] = name
        }
        changes = try modules.sorted { $0.key < $1.key }.flatMap { module, parts in
            func invalid(_ reason: String) -> ImageModelError { .invalid(parameter: "lora", reason: "\(path) \(reason)") }
            if module.hasPrefix("transformer_2.") {
                throw invalid("changes the second expert, transformer_2; only the first can be adapted")
            }
            guard let all = targets[module] else { throw invalid("changes \(module), which the model does not have") }
            guard let down = parts[.down], let up = parts[.up] else { throw invalid("has only one half of \(module)") }
            let scale = Self.scale(store, down: down, alpha: parts[.alpha])
            return all.enumerated().map { place, target in
                Change(target: target, down: down, up: up, part: place, parts: all.count, scale: scale)
            }
        }
    }

    func add(to deltas: inout LowRankDeltas, _ networks: any LoadedNetworks, scale: Float) throws {
        for change in changes {
            do {
                let (target, up) = (try tensor(networks.adaptable, change.target), try tensor(store, change.up))
                let size = up[1] / change.parts
                try deltas.add(
                    to: target, down: tensor(store, change.down), up: up,
                    outputs: change.parts == 1 ? nil : change.part * size..<(change.part + 1) * size, scale: scale * change.scale)
            } catch let error as TensorError {
                throw ImageModelError.invalid(parameter: "lora", reason: "\(change.target): \(error)")
            }
        }
    }

    private func tensor(_ store: WeightStore, _ name: String) throws -> Tensor { try store.tensor(name, store.shape(name) ?? []) }

    /// `alpha / rank`, or 1 where the file has no alpha.
    private static func scale(_ store: WeightStore, down: String, alpha: String?) -> Float {
        guard let alpha = alpha.flatMap({ store.values($0)?.first }), let shape = store.shape(down) else { return 1 }
        return alpha / Float(shape.count > 1 ? shape[1] : 1)
    }

    /// The model's matrices by module name, dotted and flat; several where adapters have them as one.
    private static func targets(_ networks: any LoadedNetworks) -> [String: [String]] {
        let store = networks.adaptable
        var targets: [String: [String]] = [:]
        var fused: [String: [Int: String]] = [:]
        for name in store.names where name.hasSuffix(".weight") && store.shape(name)?.count == 2 {
            let module = String(name.dropLast(".weight".count))
            for name in [module, networks.alias(module)].compactMap(\.self) { targets[name] = [module + ".weight"] }
            if let whole = networks.fused(module) { fused[whole.name, default: [:]][whole.part] = module + ".weight" }
        }
        for (name, parts) in fused { targets[name] = parts.sorted { $0.key < $1.key }.map(\.value) }
        for (name, modules) in targets { targets["lora_unet_" + name.replacingOccurrences(of: ".", with: "_")] = modules }
        return targets
    }

    /// What a tensor of the file is.
    private struct Part {
        enum Kind { case down, up, alpha }

        let module: String
        let kind: Kind

        private static let endings: [(String, Kind)] = [
            (".lora_A.weight", .down), (".lora_down.weight", .down), (".lora_B.weight", .up), (".lora_up.weight", .up), (".alpha", .alpha),
        ]

        init?(_ name: String) {
            let plain = name.replacingOccurrences(of: ".default.", with: ".")
            guard let (ending, kind) = Self.endings.first(where: { plain.hasSuffix($0.0) }) else { return nil }
            var module = String(plain.dropLast(ending.count))
            for prefix in ["transformer.", "diffusion_model."] where module.hasPrefix(prefix) { module.removeFirst(prefix.count) }
            self.module = module
            self.kind = kind
        }
    }
}
