import Foundation
import OmniAPI
import OmniGGUF
import OmniTensor

/// A low-rank adapter of a language model on the disk, checked against the model: a GGUF, or a folder as PEFT writes it.
public struct LanguageAdapter: Sendable {
    public let path: String
    /// The largest of its modules.
    public let rank: Int
    /// How it becomes a GGUF; nil for one.
    let plan: ConversionPlan?

    /// Reads headers, not weights. Throws ``ConversionError`` for what is missing, damaged, or made for another model or another way of
    /// changing one. `maxRank`: `--max-lora-rank`.
    public init(path: String, base: AdapterBase, maxRank: Int? = nil) throws(ConversionError) {
        self.path = path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ConversionError(.missing, path, "There is no such adapter.")
        }
        guard let architecture = base.known else {
            throw ConversionError(
                .unsupported, path, "Models of the architecture \(base.architecture) are not known to apply adapters whole.")
        }
        if isFolder.boolValue {
            (plan, rank) = try Self.peft(path, base, architecture)
        } else {
            plan = nil
            rank = try Self.check(gguf: path, base)
        }
        if let maxRank, rank > maxRank {
            throw ConversionError(
                .unsupported, path, "Its rank is \(rank), and --max-lora-rank is \(maxRank).", remedy: "Start the server with a larger one."
            )
        }
    }

    /// The rank of a GGUF adapter that fits.
    private static func check(gguf path: String, _ base: AdapterBase) throws(ConversionError) -> Int {
        let header = try AdapterBase.header(path)
        guard header.isAdapter, header.string("adapter.type") == "lora" else {
            throw ConversionError(.unsupported, path, "It is no low-rank adapter (general.type adapter, adapter.type lora).")
        }
        guard header.architecture == base.architecture else { throw foreign(path, header.architecture, base) }
        guard header.metadata["adapter.alora.invocation_tokens"] == nil else {
            throw ConversionError(
                .unsupported, path, "It is an activated adapter (aLoRA), which begins at certain tokens and cannot be run.")
        }
        let shapes = header.shapes, names = shapes.keys.sorted(), halves = [".lora_a", ".lora_b"]
        if let odd = names.first(where: { name in !halves.contains(where: name.hasSuffix) }) {
            throw ConversionError(.unsupported, path, "It holds \(odd), which is no half of a low-rank change and would have no effect.")
        }
        var rank = 0
        for target in Set(names.map { String($0.dropLast(halves[0].count)) }).sorted() {
            guard let down = shapes[target + ".lora_a"], let up = shapes[target + ".lora_b"],
                let pair = AdapterPair(down: down, up: up)
            else { throw halved(target, path) }
            try base.check(pair, of: target, module: target, path: path)
            rank = max(rank, pair.rank)
        }
        guard rank > 0 else { throw ConversionError(.damaged, path, "It changes nothing.") }
        return rank
    }

    static func foreign(_ path: String, _ architecture: String, _ base: AdapterBase) -> ConversionError {
        ConversionError(.unsupported, path, "It is for a model of the architecture \(architecture), and this one is \(base.architecture).")
    }

    static func halved(_ module: String, _ path: String) -> ConversionError {
        ConversionError(.damaged, path, "It has no two matrices for \(module).", remedy: "Fetch it again.")
    }
}
