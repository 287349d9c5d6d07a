import Foundation
import OmniEngine
import OmniTensor

/// Low-rank adapters in memory, the last few that were used. Confined to the worker's queue.
final class Adapters {
    private let networks: any LoadedNetworks
    private let backend: Backend
    private let kept: Int
    private var loaded: [(path: String, changed: Date?, adapter: Adapter)] = []
    /// Beside those that every request has.
    private static let kept = 4

    /// - Parameter kept: adapters that every request has.
    init(_ networks: any LoadedNetworks, _ backend: Backend, kept: Int = 0) {
        (self.networks, self.backend, self.kept) = (networks, backend, Self.kept + kept)
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
        if loaded.count > kept { loaded.removeFirst() }
        return adapter
    }
}
