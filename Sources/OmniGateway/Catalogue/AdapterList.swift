import OmniAPI
import Synchronization

/// The adapters on offer, which may come and go while the server runs.
public final class AdapterList: Sendable {
    private let list = Mutex<[CatalogueEntry]>([])

    public var entries: [CatalogueEntry] { list.withLock { $0 } }

    /// Offers an adapter of `base` as a model of its own; in place of the one that has its name. Requests that run keep theirs.
    public func put(_ module: LoRAModule, on base: CatalogueEntry) {
        var entry = CatalogueEntry(id: module.name, kind: base.kind, backend: AdapterBackend(module, base: base.backend), parent: base.id)
        entry.files = base.files
        list.withLock { list in
            if let place = list.firstIndex(where: { $0.id == module.name }) { list[place] = entry } else { list.append(entry) }
        }
    }

    /// False where there is none of that name.
    public func remove(_ name: String) -> Bool {
        list.withLock { list in
            let place = list.firstIndex { $0.id == name }
            if let place { list.remove(at: place) }
            return place != nil
        }
    }
}
