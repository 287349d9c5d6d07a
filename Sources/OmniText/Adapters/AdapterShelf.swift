import OmniLlama

/// The adapters in memory, the last few that were used, and the one that the context computes with. Owned by the engine's thread.
final class AdapterShelf {
    private let context: LlamaContext
    /// How many are kept.
    let most: Int
    /// The one that was used last comes last.
    private var loaded: [(file: AdapterFile, adapter: LowRankAdapter)] = []
    private(set) var current: AdapterFile?

    init(context: LlamaContext, most: Int) { (self.context, self.most) = (context, most) }

    /// Has the context compute with `file` from now on; nil stands for the model alone. Reads it where it is not in memory, for which the
    /// one that was used longest ago gives way. Blocks; throws ``APIError``, and then the model is alone.
    func use(_ file: AdapterFile?) throws {
        guard file != current else { return }
        current = nil
        context.use(nil)
        guard let file else { return }
        let place = loaded.firstIndex { $0.file == file }
        if place == nil, loaded.count >= most { loaded.removeFirst() }
        let adapter = try place.map { loaded.remove(at: $0).adapter } ?? LowRankAdapter(path: file.path, model: context.model)
        loaded.append((file, adapter))
        context.use(adapter)
        current = file
    }
}
