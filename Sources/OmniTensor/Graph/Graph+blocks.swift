import CLlama
import CTensor

/// Which tokens see each other: those of a block of `size`, and of so many blocks before it and behind it.
public struct BlockWindow: Sendable, Equatable {
    public var size, back, ahead: Int

    public init(size: Int, back: Int = 0, ahead: Int = 0) { (self.size, self.back, self.ahead) = (size, back, ahead) }

    /// For each block of sequences that lie one after the other: its tokens, and those it sees.
    func spans(_ sequences: [Int]) -> [(tokens: Range<Int>, seen: Range<Int>)] {
        var start = 0
        return sequences.flatMap { length in
            defer { start += length }
            return stride(from: 0, to: length, by: size).map { first in
                let (low, high) = (max(0, first - back * size), min(length, first + (1 + ahead) * size))
                return (start + first..<start + min(first + size, length), start + low..<start + high)
            }
        }
    }
}

extension Graph {
    /// Attention within blocks of sequences that lie one after the other, as ``attention(query:keys:values:mask:bias:scale:precision:)``
    /// with a mask would have it, at the cost of what is seen.
    ///
    /// - Parameters:
    ///   - query: `[head, heads, tokens]`; `keys` and `values` `[head, groups, tokens]`.
    ///   - sequences: tokens of each, which add up.
    /// - Returns: `[head · heads, tokens]`.
    public func attention(
        query: Tensor, keys: Tensor, values: Tensor, sequences: [Int], blocks: BlockWindow, precision: AttentionPrecision
    ) throws -> Tensor {
        try require(
            sequences.reduce(0, +) == query[2] && query[2] == keys[2] && blocks.size > 0, "attention", "\(sequences) for \(query.label)")
        let spans = blocks.spans(sequences)
        guard let kernels, canAttend(query, keys, values) else {
            let parts = try spans.map { span in
                try attention(
                    query: slice(query, axis: 2, span.tokens), keys: slice(keys, axis: 2, span.seen),
                    values: slice(values, axis: 2, span.seen),
                    precision: precision)
            }
            return try concat(parts, axis: 1)
        }
        let rounds = precision == .flash && kernels.rounds
        let whole = geometry(query, keys, values, scale: 1 / Float(query[0]).squareRoot(), rounds: rounds)
        let seen = spans.reduce(0) { $0 + $1.tokens.count * $1.seen.count }
        return try inStrips(
            [query[0] * query[1], query[2]], sources: [query, keys, values], work: rounds ? .roundedAttention : .attention,
            units: spans.count,
            operations: 4 * Double(query[0] * query[1]) * Double(seen) / Double(spans.count)
        ) { Self.attend(whole, kernels, Array(spans[$0])) }
    }

    /// Threads take whole blocks in turn.
    private static func attend(_ whole: ct_attention, _ kernels: KernelVariant, _ spans: [(tokens: Range<Int>, seen: Range<Int>)])
        -> KernelStrip.Body
    {
        { sources, output, part, parts in
            guard let query = sources[0], let keys = sources[1], let values = sources[2] else { return }
            for index in stride(from: Int(part), to: spans.count, by: Int(parts)) {
                let span = spans[index]
                var block = whole
                block.keys = Int32(span.seen.count)
                ct_attend(
                    kernels.index, &block, query + span.tokens.lowerBound * whole.query_pitch,
                    keys + span.seen.lowerBound * whole.key_pitch,
                    values + span.seen.lowerBound * whole.value_pitch, nil, output + span.tokens.lowerBound * whole.out_pitch, 0,
                    Int32(span.tokens.count), 0, 1)
            }
        }
    }
}
