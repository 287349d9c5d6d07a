import Foundation
import OmniAPI
import OmniTensor

extension LanguageAdapter {
    /// How a folder of PEFT becomes a GGUF as convert_lora_to_gguf.py of llama.cpp writes it, in f32, and its rank.
    static func peft(_ folder: String, _ base: AdapterBase, _ architecture: Architecture) throws(ConversionError) -> (
        ConversionPlan, rank: Int
    ) {
        let config = try AdapterConfig(folder: folder)
        let weights = try weights(folder)
        let rules = rules(architecture, blocks: base.blocks)
        var tensors: [TensorPlan] = [], alphas: Set<Double> = [], ranks: [Int] = []
        for (module, halves) in try modules(weights, folder).sorted(by: { $0.key < $1.key }) {
            // PEFT puts the weights of embeddings and heads beside their changes, which change only with the vocabulary.
            if let own = halves[.base], let (target, _) = rules[module], base.shapes[target + ".weight"] != own.shape {
                throw ConversionError(.unsupported, folder, "It brings weights of its own for \(module), of the shape \(own.shape).")
            }
            guard let down = halves[.down], let up = halves[.up], let pair = AdapterPair(down: down.shape, up: up.shape) else {
                throw halved(module, folder)
            }
            guard let (target, rule) = rules[module] else {
                throw ConversionError(
                    .unsupported, folder, "It changes \(module), which cannot be run with an adapter on a \(base.architecture) model.")
            }
            let name = target + ".weight"
            try base.check(pair, of: name, module: module, path: folder)
            alphas.insert(config.alpha(of: module, rank: pair.rank))
            ranks.append(pair.rank)
            tensors.append(tensor("\(name).lora_a", down, order: .asIs))
            tensors.append(tensor("\(name).lora_b", up, order: try order(rule, pair, base, module, folder)))
        }
        guard let alpha = alphas.first, let rank = ranks.max() else { throw ConversionError(.damaged, folder, "It changes nothing.") }
        guard alphas.count == 1 else { throw config.severalAlphas(alphas) }
        var metadata = Metadata(architecture: base.architecture, type: "adapter")
        metadata["adapter.type"] = .string("lora")
        metadata["adapter.lora.alpha"] = .float32(Float(alpha))
        metadata["general.name"] = .string(URL(filePath: folder).lastPathComponent)
        return (ConversionPlan(metadata: metadata, tensors: tensors, type: .f32), rank)
    }

    private static func weights(_ folder: String) throws(ConversionError) -> WeightFiles {
        let path = "\(folder)/adapter_model.safetensors"
        guard FileManager.default.fileExists(atPath: path) else {
            let isPickle = FileManager.default.fileExists(atPath: "\(folder)/adapter_model.bin")
            throw ConversionError(
                .missing, path,
                "It is not there." + (isPickle ? " Weights as pickles (adapter_model.bin) can run code and are not read." : ""))
        }
        return try Checkpoint.opened(path)
    }

    private enum Part: String, CaseIterable {
        case down = ".lora_A.weight"
        case up = ".lora_B.weight"
        case base = ".base_layer.weight"
    }

    /// The halves of each module's change. Refuses what is stored beside them.
    private static func modules(_ weights: WeightFiles, _ folder: String) throws(ConversionError) -> [String: [Part: WeightEntry]] {
        var found: [String: [Part: WeightEntry]] = [:]
        for (name, entry) in weights.entries {
            // Of an adapter with a name of its own, `default` unless it was given another.
            let plain = name.replacing(#/\.lora_(A|B)\.default\.weight$/#) { ".lora_\($0.output.1).weight" }
            guard let part = Part.allCases.first(where: { plain.hasSuffix($0.rawValue) }), plain.hasPrefix(prefix) else {
                let dora = name.contains("magnitude") ? " (DoRA)" : ""
                throw ConversionError(.unsupported, folder, "It holds \(name)\(dora), which is no half of a low-rank change of a layer.")
            }
            guard [.f32, .f16, .bf16].contains(where: { (type: StoredType) in type.encoding == entry.encoding }) else {
                throw ConversionError(.unsupported, folder, "Its tensor \(name) is stored as \(entry.encoding), which is not converted.")
            }
            found[String(plain.dropFirst(prefix.count).dropLast(part.rawValue.count)), default: [:]][part] = entry
        }
        return found
    }

    /// PEFT's wrapper, and the model in it.
    private static let prefix = "base_model.model."

    /// What each module is called in a GGUF.
    private static func rules(_ architecture: Architecture, blocks: Int) -> [String: (target: String, rule: TensorRule)] {
        var rules: [String: (String, TensorRule)] = [:]
        for rule in architecture.tensors { rules[rule.source] = (rule.target, rule) }
        for layer in 0..<blocks {
            for rule in architecture.layers.rules {
                rules["\(architecture.layers.prefix).\(layer).\(rule.source)"] = ("blk.\(layer).\(rule.target)", rule)
            }
        }
        return rules
    }

    /// How the rows of the second matrix are stored: as those of the weight that it changes.
    private static func order(_ rule: TensorRule, _ pair: AdapterPair, _ base: AdapterBase, _ module: String, _ folder: String)
        throws(ConversionError) -> RowOrder
    {
        switch rule.rows {
        case .asIs, .tokens: return .asIs
        case .queries, .keys:
            guard let heads = rule.rows == .queries ? base.heads : base.keyValueHeads, heads > 0, pair.up[1] % (2 * heads) == 0 else {
                throw ConversionError(.damaged, folder, "Its \(module) has \(pair.up[1]) rows, which the heads do not share evenly.")
            }
            return .pairs(heads: heads)
        case .experts, .thirds, .frames, .channels, .positions, .chosen:
            throw ConversionError(.unsupported, folder, "It changes \(module), which cannot be run with an adapter.")
        }
    }

    private static func tensor(_ name: String, _ entry: WeightEntry, order: RowOrder) -> TensorPlan {
        TensorPlan(
            name: name, shape: entry.shape, type: .f32,
            content: .weights([.init(entry: entry, rows: 0..<entry.sliceCount)], order: order, plus: 0))
    }
}
