import OmniTensor

/// Lays an architecture's table over the tensors of a checkpoint: each is used once, and none is left over.
struct TensorMap {
    private let checkpoint: Checkpoint
    private let type: StoredType
    /// Tokens of the vocabulary.
    private let count: Int
    private let available: [String: WeightEntry]
    private var used: Set<String> = []

    /// The tensors of the GGUF in the order of the network. Throws ``ConversionError`` for a tensor that is missing, has another element
    /// type than numbers, or has no place in the table.
    static func plan(_ checkpoint: Checkpoint, type: StoredType, tokens: Int) throws(ConversionError) -> [TensorPlan] {
        var map = try TensorMap(checkpoint, type: type, tokens: tokens)
        return try map.plan()
    }

    /// The type that most of the weights have.
    static func mainType(_ checkpoint: Checkpoint) -> StoredType {
        func bytes(_ type: StoredType) -> Int {
            checkpoint.weights.entries.values.filter { $0.shape.count > 1 && $0.encoding == type.encoding }.reduce(0) { $0 + $1.byteCount }
        }
        return [StoredType.bf16, .f16, .f32].max { bytes($0) < bytes($1) } ?? .bf16
    }

    private init(_ checkpoint: Checkpoint, type: StoredType, tokens: Int) throws(ConversionError) {
        (self.checkpoint, self.type, count) = (checkpoint, type, tokens)
        var available: [String: WeightEntry] = [:]
        for (name, entry) in checkpoint.weights.entries {
            guard let name = Self.plainName(name, checkpoint.architecture) else { continue }
            guard [.f32, .f16, .bf16].contains(where: { (type: StoredType) in type.encoding == entry.encoding }) else {
                throw ConversionError(
                    .unsupported, checkpoint.folder, "Its tensor \(entry.name) is stored as \(entry.encoding), which is not converted.")
            }
            available[name] = entry
        }
        self.available = available
    }

    /// The name without what all have before it, in today's words; nil for what no network needs.
    private static func plainName(_ name: String, _ architecture: Architecture) -> String? {
        var name = Substring(name)
        if let prefix = architecture.prefixes.first(where: name.hasPrefix) { name = name.dropFirst(prefix.count) }
        if name.hasSuffix(".rotary_emb.inv_freq") || architecture.unused.contains(where: name.hasPrefix) { return nil }
        if name.hasSuffix(".gamma") { return name.dropLast(6) + ".weight" }
        if name.hasSuffix(".beta") { return name.dropLast(5) + ".bias" }
        return String(name)
    }

    private mutating func plan() throws(ConversionError) -> [TensorPlan] {
        let (architecture, config) = (checkpoint.architecture, checkpoint.config)
        var plans: [TensorPlan] = []
        for (name, values) in try architecture.generated(config).sorted(by: { $0.key < $1.key }) {
            plans.append(TensorPlan(name: name, shape: [values.count], type: .f32, content: .values(values)))
        }
        for rule in architecture.tensors { plans += try plan(rule, before: "", target: "") }
        for layer in 0..<(try config.integer("num_hidden_layers")) {
            for rule in architecture.layers.rules {
                plans += try plan(rule, before: "\(architecture.layers.prefix).\(layer).", target: "blk.\(layer).")
            }
        }
        if available["lm_head.weight"] == nil, architecture.tensors.contains(where: { $0.source == "lm_head" }),
            !config.flag("tie_word_embeddings")
        {
            throw missing("lm_head.weight")
        }
        if let odd = available.keys.filter({ !used.contains($0) }).min() {
            throw ConversionError(
                .unsupported, checkpoint.folder,
                "Its tensor \(available[odd]?.name ?? odd) has no place in the architecture \(architecture.name): the network is another one."
            )
        }
        return plans
    }

    private mutating func plan(_ rule: TensorRule, before: String, target: String) throws(ConversionError) -> [TensorPlan] {
        var plans: [TensorPlan] = []
        for suffix in [".weight", ".bias"] {
            let source = before + rule.source + suffix, name = target + rule.target + suffix
            if rule.rows == .experts {
                if suffix == ".weight" { plans.append(try experts(rule, source: source, name: name)) }
            } else if let entry = available[source] {
                used.insert(source)
                plans.append(try plan(rule, entry, name: name))
            } else if suffix == ".weight", !rule.isOptional {
                throw missing(source)
            }
        }
        return plans
    }

    private func plan(_ rule: TensorRule, _ entry: WeightEntry, name: String) throws(ConversionError) -> TensorPlan {
        var (shape, rows, first, order) = (entry.shape, entry.rows, 0, RowOrder.asIs)
        let (config, isVector) = (checkpoint.config, entry.shape.count == 1)
        switch rule.rows {
        case .tokens where !isVector:
            guard rows >= count else {
                throw ConversionError(
                    .damaged, checkpoint.folder,
                    "Its tensor \(entry.name) has \(rows) rows, and config.json says that there are \(count) tokens.")
            }
            rows = count
            shape[1] = rows
        case .positions where !isVector:
            first = try config.unusedPositions
            guard rows > first else {
                throw damaged("Its tensor \(entry.name) has \(rows) rows, of which the first \(first) stand for nothing.")
            }
            shape[1] = rows - first
        case .queries, .keys:
            let heads = try rule.rows == .queries ? config.heads : config.keyValueHeads
            order = .pairs(heads: heads)
            // A bias has a number for each row.
            let length = isVector ? shape[0] : rows
            guard length % (2 * heads) == 0 else {
                throw damaged("Its tensor \(entry.name) has \(length) rows, which the heads do not share evenly.")
            }
        default: break
        }
        let stored = TensorRule.isFull(name, axes: shape.count) ? .f32 : type
        return TensorPlan(
            name: name, shape: shape, type: stored,
            content: .weights([.init(entry: entry, rows: first..<rows)], order: order, plus: rule.plus))
    }

    /// The experts of a layer as one tensor of three axes.
    private mutating func experts(_ rule: TensorRule, source: String, name: String) throws(ConversionError) -> TensorPlan {
        var slices: [TensorPlan.Slice] = []
        for expert in 0..<(try checkpoint.config.integer("num_experts")) {
            let one = source.replacing("*", with: "\(expert)")
            guard let entry = available[one] else { throw missing(one) }
            guard entry.shape.count == 2, entry.shape == slices.first?.entry.shape ?? entry.shape else {
                throw ConversionError(
                    .damaged, checkpoint.folder, "Its tensor \(entry.name) has the shape \(entry.shape), and other experts another.")
            }
            used.insert(one)
            slices.append(.init(entry: entry, rows: 0..<entry.rows))
        }
        guard let shape = slices.first?.entry.shape else { throw missing(source) }
        return TensorPlan(name: name, shape: shape + [slices.count], type: type, content: .weights(slices, order: .asIs, plus: 0))
    }

    private func damaged(_ problem: String) -> ConversionError { ConversionError(.damaged, checkpoint.folder, problem) }

    private func missing(_ name: String) -> ConversionError {
        ConversionError(.damaged, checkpoint.folder, "The tensor \(name) is in none of its files.", remedy: "Fetch it again.")
    }
}
