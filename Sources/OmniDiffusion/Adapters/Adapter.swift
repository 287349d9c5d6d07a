import Foundation
import OmniEngine
import OmniTensor

/// One adapter file, in the names that trainers write (``AdapterPart``). Of two experts it changes the second, for little noise, where its
/// tensors are those of `transformer_2` or its name says `low_noise`, else the first.
struct Adapter {
    private struct Change {
        let target: String
        /// Halves of a change of the matrix.
        let halves: (down: String, up: String)?
        let bias: String?
        /// Of `up` and `bias`, where they are for several targets together: this part of so many.
        let part, parts: Int
        let scale: Float
        let expert: Int
    }

    private let store: WeightStore
    private let changes: [Change]

    init(_ path: String, _ networks: any LoadedNetworks, _ backend: Backend) throws {
        let files = try WeightFiles(path: path)
        func invalid(_ reason: String) -> ImageModelError { .invalid(parameter: "lora", reason: "\(path) \(reason)") }
        let targets = Self.targets(networks)
        let unused = try Self.withoutEffect(files, targets)
        for name in files.entries.keys.sorted() where AdapterPart(name) == nil && !unused.contains(name) {
            throw invalid("holds \(name), which is \(AdapterPart.foreign(name) ?? "not supported")")
        }
        var options = WeightOptions()
        options.select = { !unused.contains($0) }
        options.order = { name, outputs in
            guard let part = AdapterPart(name), [.up, .bias].contains(part.kind), let all = targets[part.module], outputs % all.count == 0
            else {
                return nil
            }
            let size = outputs / all.count
            let orders = all.map { networks.order($0, size) }
            guard orders.contains(where: { $0 != nil }) else { return nil }
            return orders.enumerated().flatMap { place, order in (order ?? Array(0..<size)).map { place * size + $0 } }
        }
        let store = try WeightStore(files, on: backend, options: options)
        self.store = store
        let named = Self.isForLittleNoise(path) && networks.adaptable.count > 1 ? 1 : 0
        var modules: [AdapterPart.Place: [AdapterPart.Kind: String]] = [:]
        for part in store.names.compactMap(AdapterPart.init) {
            let place = AdapterPart.Place(module: part.module, expert: part.expert ?? named)
            guard modules[place, default: [:]].updateValue(part.name, forKey: part.kind) == nil else {
                throw invalid("changes \(part.module) twice")
            }
        }
        changes = try modules.sorted { ($0.key.expert, $0.key.module) < ($1.key.expert, $1.key.module) }.flatMap { place, parts in
            guard networks.adaptable.indices.contains(place.expert) else {
                throw invalid("changes the second expert, transformer_2, which the model does not have")
            }
            guard let all = targets[place.module] else { throw invalid("changes \(place.module), which the model does not have") }
            guard (parts[.down] == nil) == (parts[.up] == nil), parts[.down] ?? parts[.bias] != nil else {
                throw invalid("has only one half of \(place.module)")
            }
            let halves = parts[.down].flatMap { down in parts[.up].map { (down, $0) } }
            let scale = halves.map { Self.scale(store, down: $0.0, alpha: parts[.alpha]) } ?? 1
            return all.enumerated().map { part, target in
                Change(
                    target: target, halves: halves, bias: parts[.bias], part: part, parts: all.count, scale: scale, expert: place.expert)
            }
        }
    }

    func add(to deltas: inout LowRankDeltas, _ networks: any LoadedNetworks, scale: Float) throws {
        for change in changes {
            do {
                let target = try tensor(networks.adaptable[change.expert], change.target)
                func outputs(_ count: Int) -> Range<Int>? {
                    let size = count / change.parts
                    return change.parts == 1 ? nil : change.part * size..<(change.part + 1) * size
                }
                if let (down, up) = change.halves {
                    let (down, up) = (try tensor(store, down), try tensor(store, up))
                    try deltas.add(to: target, down: down, up: up, outputs: outputs(up[1]), scale: scale * change.scale)
                }
                // The rank's factor is not the bias's.
                if let bias = try change.bias.map({ try tensor(store, $0) }) {
                    try deltas.add(to: target, bias: bias, outputs: outputs(bias.count), scale: scale)
                }
            } catch let error as TensorError {
                throw ImageModelError.invalid(parameter: "lora", reason: "\(change.target): \(error)")
            }
        }
    }

    private func tensor(_ store: WeightStore, _ name: String) throws -> Tensor { try store.tensor(name, store.shape(name) ?? []) }

    /// Tensors that change nothing: trainers write zeros for norms.
    private static func withoutEffect(_ files: WeightFiles, _ targets: [String: [String]]) throws -> Set<String> {
        let names = try files.entries.filter { name, entry in
            guard name.hasSuffix(".diff") || AdapterPart(name).map({ $0.kind == .bias && targets[$0.module] == nil }) ?? false,
                entry.byteCount <= longestZeros
            else { return false }
            return try entry.file.read(at: entry.offset, count: entry.byteCount).allSatisfy { $0 == 0 }
        }
        return Set(names.keys)
    }

    /// Bytes of a vector, with room.
    private static let longestZeros = 1 << 20

    private static func isForLittleNoise(_ path: String) -> Bool {
        let name = URL(fileURLWithPath: path).lastPathComponent.lowercased().filter { $0.isLetter || $0.isNumber }
        return name.contains("lownoise")
    }

    /// `alpha / rank`, or 1 where the file has no alpha.
    private static func scale(_ store: WeightStore, down: String, alpha: String?) -> Float {
        guard let alpha = alpha.flatMap({ store.values($0)?.first }), let shape = store.shape(down) else { return 1 }
        return alpha / Float(shape.count > 1 ? shape[1] : 1)
    }

    /// The model's matrices by module name, dotted and flat; several where adapters have them as one. Two experts have the same.
    private static func targets(_ networks: any LoadedNetworks) -> [String: [String]] {
        let store = networks.adaptable[0]
        var targets: [String: [String]] = [:]
        var fused: [String: [Int: String]] = [:]
        for name in store.names where name.hasSuffix(".weight") && store.shape(name)?.count == 2 {
            let module = String(name.dropLast(".weight".count))
            for name in [module, networks.alias(module)].compactMap(\.self) { targets[name] = [module + ".weight"] }
            if let whole = networks.fused(module) { fused[whole.name, default: [:]][whole.part] = module + ".weight" }
        }
        for (name, parts) in fused { targets[name] = parts.sorted { $0.key < $1.key }.map(\.value) }
        for (name, modules) in targets { targets[AdapterPart.flat(name)] = modules }
        return targets
    }
}
