import OmniTensor

/// What a plan is made for: where its graphs will run, and the memory there is.
struct PlanningContext {
    let backend: Backend
    var tiling = DiffusionOptions.Tiling.automatic
    /// Bytes that the request may take; nil where that is unknown.
    var available: Int?
    /// Nodes of the largest graph.
    var nodes = 1 << 16
    /// Only the plan's memory is asked for, of the request at another size: what it begins with may keep its own.
    var isEstimate = false

    /// Lists of nodes, threads, and what else does not grow with the request, bytes.
    static let overhead = 8 << 20

    func executor() throws -> Executor { try Executor(backend, capacity: nodes) }

    /// Whether an autoencoder works in tiles where whole pictures would take `bytes`: from half of what there is.
    func tiles(_ bytes: Int) -> Bool {
        switch tiling {
        case .always: true
        case .never: false
        case .automatic: available.map { bytes > $0 / 2 } ?? false
        }
    }
}
