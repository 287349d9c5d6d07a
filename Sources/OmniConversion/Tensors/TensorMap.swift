import OmniTensor

/// Lays a table over the tensors of a checkpoint: each is used once, and none is left over.
struct TensorMap {
    let checkpoint: Checkpoint
    private let table: TensorTable
    let type: StoredType
    /// Tokens of the vocabulary.
    private let count: Int
    private let available: [String: WeightEntry]
    private var used: Set<String> = []

    /// The tensors of the GGUF in the order of the network. Throws ``ConversionError`` for a tensor that is missing, has another element
    /// type than numbers, or has no place in the table.
    static func plan(_ checkpoint: Checkpoint, _ table: TensorTable, type: StoredType, tokens: Int) throws(ConversionError)
        -> [TensorPlan]
    {
        var map = try TensorMap(checkpoint, table, type: type, tokens: tokens)
        return try map.plan()
    }

    /// The type that most of the weights of `table` have.
    static func mainType(_ checkpoint: Checkpoint, _ table: TensorTable) -> StoredType {
        let entries = checkpoint.weights.entries.values.filter { $0.shape.count > 1 && table.plainName($0.name) != nil }
        func bytes(_ type: StoredType) -> Int { entries.filter { $0.encoding == type.encoding }.reduce(0) { $0 + $1.byteCount } }
        return [StoredType.bf16, .f16, .f32].max { bytes($0) < bytes($1) } ?? .bf16
    }

    private init(_ checkpoint: Checkpoint, _ table: TensorTable, type: StoredType, tokens: Int) throws(ConversionError) {
        (self.checkpoint, self.table, self.type, count) = (checkpoint, table, type, tokens)
        var available: [String: WeightEntry] = [:]
        for (name, entry) in checkpoint.weights.entries {
            guard let name = table.plainName(name) else { continue }
            guard [.f32, .f16, .bf16].contains(where: { (type: StoredType) in type.encoding == entry.encoding }) else {
                throw ConversionError(
                    .unsupported, checkpoint.folder, "Its tensor \(entry.name) is stored as \(entry.encoding), which is not converted.")
            }
            available[name] = entry
        }
        self.available = available
    }

    private mutating func plan() throws(ConversionError) -> [TensorPlan] {
        var plans = table.generated
        for rule in table.tensors { plans += try plan(rule, before: "", target: "") }
        for group in table.layers {
            for layer in 0..<group.count {
                let number = group.numbers?[layer] ?? layer
                for rule in group.rules {
                    plans += try plan(rule, before: "\(group.source).\(layer).", target: "\(group.target).\(number).")
                }
            }
        }
        if table.wantsHead, available["lm_head.weight"] == nil { throw missing("lm_head.weight") }
        if let odd = available.keys.filter({ !used.contains($0) }).min() {
            throw ConversionError(
                .unsupported, checkpoint.folder,
                "Its tensor \(available[odd]?.name ?? odd) has no place in the architecture \(table.network): the network is another one."
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
                plans += try plan(rule, entry, name: name)
            } else if suffix == ".weight", !rule.isOptional {
                throw missing(source)
            }
        }
        return plans
    }

    private func plan(_ rule: TensorRule, _ entry: WeightEntry, name: String) throws(ConversionError) -> [TensorPlan] {
        switch rule.rows {
        case .thirds(let names): return try thirds(entry, name: name, target: rule.target, names)
        case .frames where entry.shape.count > 1: return try frames(entry, name: name)
        case .chosen(let rows): return [try chosen(rows, entry, name: name)]
        default: return [try whole(rule, entry, name: name)]
        }
    }

    private func whole(_ rule: TensorRule, _ entry: WeightEntry, name: String) throws(ConversionError) -> TensorPlan {
        var (shape, rows, first, order) = (entry.shape, entry.sliceCount, 0, RowOrder.asIs)
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
            guard rows % (2 * heads) == 0 else {
                throw damaged("Its tensor \(entry.name) has \(rows) rows, which the heads do not share evenly.")
            }
        case .channels where isVector: shape = [1] + shape
        default: break
        }
        let stored = TensorRule.isFull(name, axes: entry.shape.count) ? .f32 : rule.rows == .channels ? .f16 : type
        return TensorPlan(
            name: name, shape: shape, type: stored,
            content: .weights([.init(entry: entry, rows: first..<rows)], order: order, plus: rule.plus))
    }

    private func chosen(_ rows: [Int], _ entry: WeightEntry, name: String) throws(ConversionError) -> TensorPlan {
        guard entry.shape.count == 2, rows.allSatisfy((0..<entry.rows).contains) else {
            throw damaged("Its tensor \(entry.name) has the shape \(entry.shape), and the rows \(rows) are wanted.")
        }
        return TensorPlan(
            name: name, shape: [entry.shape[0], rows.count], type: type,
            content: .weights(rows.map { .init(entry: entry, rows: $0..<$0 + 1) }, order: .asIs, plus: 0))
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

    func damaged(_ problem: String) -> ConversionError { ConversionError(.damaged, checkpoint.folder, problem) }

    private func missing(_ name: String) -> ConversionError {
        ConversionError(.damaged, checkpoint.folder, "The tensor \(name) is in none of its files.", remedy: "Fetch it again.")
    }
}
