import Foundation

/// What a GGUF's file name tells: `Qwen2.5-7B-Instruct-Q4_K_M-00001-of-00003.gguf`.
struct GGUFFileName: Sendable, Equatable {
    /// The name without shard, quantisation and extension.
    var base: String
    /// `Q4_K_M`, `BF16`, `UD-Q4_K_XL` …, in capitals.
    var quant: String?
    /// The shard's number, from 1, and how many there are.
    var shard: (index: Int, count: Int)?
    var isProjector: Bool

    /// Nil for a name that does not end in `.gguf`.
    init?(_ name: String) {
        guard name.lowercased().hasSuffix(".gguf") else { return nil }
        var stem = String(name.dropLast(5))
        if let match = stem.wholeMatch(of: /(?<stem>.*)-(?<index>\d{5})-of-(?<count>\d{5})/),
            let index = Int(match.output.index), let count = Int(match.output.count), index >= 1, index <= count
        {
            shard = (index, count)
            stem = String(match.output.stem)
        }
        isProjector = stem.lowercased().contains("mmproj")
        let pattern =
            /(?<base>.*?)[-._]?(?<quant>(UD-)?(I?Q[1-8](_[A-Z0-9]+)*|TQ[12]_0|MXFP4(_MOE)?|NVFP4|BF16|F16|F32|FP16|FP32))/
            .ignoresCase()
        if let match = stem.wholeMatch(of: pattern) {
            base = String(match.output.base)
            quant = match.output.quant.uppercased()
        } else {
            base = stem
        }
    }

    static func == (left: GGUFFileName, right: GGUFFileName) -> Bool {
        left.base == right.base && left.quant == right.quant && left.isProjector == right.isProjector
            && left.shard?.index == right.shard?.index && left.shard?.count == right.shard?.count
    }

    /// The names of all shards of the model that a shard's file `name` belongs to; a folder before the name stays.
    static func shardNames(of name: String) -> [String] {
        guard let shard = GGUFFileName(name)?.shard else { return [name] }
        let stem = name.dropLast("-00001-of-00001.gguf".count)
        func padded(_ number: Int) -> String { String(String(100_000 + number).dropFirst()) }
        return (1...shard.count).map { "\(stem)-\(padded($0))-of-\(padded(shard.count))\(name.suffix(5))" }
    }
}
