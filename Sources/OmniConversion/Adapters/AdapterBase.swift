import Foundation
import OmniGGUF

/// What a low-rank adapter must fit: the weights of a language model by their names in a GGUF.
public struct AdapterBase: Sendable {
    /// `general.architecture`.
    let architecture: String
    let heads: Int?
    let keyValueHeads: Int?
    let blocks: Int
    /// Fastest axis first.
    let shapes: [String: [Int]]

    /// Reads the header of a GGUF, and of its further shards. Throws ``ConversionError``.
    public init(gguf path: String) throws(ConversionError) {
        let header = try Self.header(path)
        let name = header.architecture
        architecture = name
        heads = header.integer("\(name).attention.head_count")
        keyValueHeads = header.integer("\(name).attention.head_count_kv") ?? heads
        blocks = header.integer("\(name).block_count") ?? 0
        var shapes = header.shapes
        for shard in 1..<max(header.splitCount, 1) {
            let number = String(format: "-%05d-of-", shard + 1)
            shapes.merge(try Self.header(path.replacing("-00001-of-", with: number)).shapes) { own, _ in own }
        }
        self.shapes = shapes
    }

    /// The base that `conversion` will make. Throws ``ConversionError``.
    public init(_ conversion: Conversion) throws(ConversionError) {
        let checkpoint = conversion.checkpoint
        architecture = checkpoint.architectureName
        (heads, keyValueHeads) = (try checkpoint.config.heads, try checkpoint.config.keyValueHeads)
        blocks = try checkpoint.config.integer("num_hidden_layers")
        let plan = try ConversionPlan(checkpoint)
        shapes = Dictionary(plan.tensors.map { ($0.name, $0.shape) }) { own, _ in own }
    }

    static func header(_ path: String) throws(ConversionError) -> GGUFHeader {
        let header: GGUFHeader
        do { header = try GGUFHeader(readingFrom: URL(filePath: path)) } catch let error as GGUFError {
            throw ConversionError(.damaged, path, "It cannot be read: \(error.description).")
        } catch {
            throw ConversionError(.missing, path, "It cannot be read: \(error.localizedDescription)")
        }
        guard !header.isCutShort else { throw ConversionError(.damaged, path, "It is cut short.", remedy: "Fetch it again.") }
        return header
    }

    /// The table of the architecture; nil for one that is in none. Other networks of libllama pass over adapters of some weights.
    var known: Architecture? { Architecture.all.first { $0.name == architecture && !$0.isEmbedding && !$0.isClassifier } }

    /// Weights to which libllama's networks of these architectures add what an adapter says of them.
    private static let adaptable: Set<String> = [
        "attn_q", "attn_k", "attn_v", "attn_qkv", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "output",
    ]

    /// Throws ``ConversionError`` unless `pair` fits the weight `target`, such as `blk.0.attn_q.weight`. `module`: its name in the
    /// adapter.
    func check(_ pair: AdapterPair, of target: String, module: String, path: String) throws(ConversionError) {
        let parts = target.split(separator: ".")
        guard parts.last == "weight", parts.count > 1, Self.adaptable.contains(String(parts[parts.count - 2])) else {
            throw ConversionError(.unsupported, path, "It changes \(module), which cannot be run with an adapter.")
        }
        guard let shape = shapes[target] else {
            throw ConversionError(
                .unsupported, path, "It changes \(module), which the model does not have.",
                remedy: "An adapter works with the model that it was trained on.")
        }
        guard pair.rank > 0, pair.up[0] == pair.rank else {
            throw ConversionError(.damaged, path, "Its halves of \(module) have different ranks: \(pair.rank) and \(pair.up[0]).")
        }
        guard shape.count == 2, shape[0] == pair.down[0], shape[1] == pair.up[1] else {
            throw ConversionError(
                .unsupported, path,
                "Its \(module) goes from \(pair.down[0]) to \(pair.up[1]) numbers, and the model's has the shape \(shape).",
                remedy: "An adapter works with the model that it was trained on.")
        }
    }
}

/// The sizes of the two matrices that change a weight, fastest axis first: `down [in, rank]`, `up [rank, out]`.
struct AdapterPair {
    let down: [Int]
    let up: [Int]

    /// Nil unless both are matrices.
    init?(down: [Int], up: [Int]) {
        guard down.count == 2, up.count == 2 else { return nil }
        (self.down, self.up) = (down, up)
    }

    var rank: Int { down[1] }
}
