/// The tensors of one GGUF: what an architecture's table says of a checkpoint's sizes.
struct TensorTable: Sendable {
    /// What errors call it.
    let network: String
    /// What the names of all tensors may begin with.
    var prefixes: [String] = []
    /// Beginnings of the names of tensors that belong to something else.
    var unused: [String] = []
    /// Beginnings of the names of tensors that belong to it; all where there is none.
    var used: [String] = []
    /// What is computed from `config.json`.
    var generated: [TensorPlan] = []
    /// Tensors outside the layers.
    var tensors: [TensorRule]
    let layers: [Layers]
    /// `lm_head` must be there.
    var wantsHead = false

    /// Layers that are alike.
    struct Layers: Sendable {
        /// What comes before a layer's number in the checkpoint and in the GGUF.
        let source, target: String
        let count: Int
        let rules: [TensorRule]
        /// Their numbers in the GGUF where those are others.
        var numbers: [Int]?
    }

    /// The name without what all have before it, in today's words; nil for what this network does not need.
    func plainName(_ name: String) -> String? {
        var name = Substring(name)
        if let prefix = prefixes.first(where: name.hasPrefix) { name = name.dropFirst(prefix.count) }
        if !used.isEmpty, !used.contains(where: name.hasPrefix) { return nil }
        if name.hasSuffix(".rotary_emb.inv_freq") || unused.contains(where: name.hasPrefix) { return nil }
        if name.hasSuffix(".gamma") { return name.dropLast(6) + ".weight" }
        if name.hasSuffix(".beta") { return name.dropLast(5) + ".bias" }
        return String(name)
    }
}
