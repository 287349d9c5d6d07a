import OmniLlama

/// What the network made of the tokens of earlier spoken answers, so that the next turn of a conversation reads only what is new: keys and
/// values stay in the cache, and these beside them. Owned by the engine's thread.
struct SpokenPrefixes {
    private struct Entry {
        var tokens: [Token]
        var rows: [ThinkerFeed.Row]
        var bytes: Int { rows.count * ((rows.first?.values.count ?? 0) * 4 + 16) }
    }

    /// The one that was used last comes last.
    private var entries: [Entry] = []
    private let mostBytes: Int

    init(mostBytes: Int = 128 << 20) { self.mostBytes = mostBytes }

    /// Keeps the rows of the first tokens of an answer, and forgets those that it goes on with, and the oldest ones over the limit.
    mutating func keep(_ rows: [ThinkerFeed.Row], of tokens: [Token]) {
        let own = Entry(tokens: Array(tokens.prefix(rows.count)), rows: rows)
        guard !rows.isEmpty, rows.count <= tokens.count, own.bytes <= mostBytes else { return }
        entries.removeAll { own.tokens.starts(with: $0.tokens) }
        entries.append(own)
        while entries.reduce(0, { $0 + $1.bytes }) > mostBytes { entries.removeFirst() }
    }

    /// The rows of the tokens at the beginning of `tokens`, as many as are known.
    func rows(of tokens: [Token]) -> ArraySlice<ThinkerFeed.Row> {
        let best = entries.map { ($0, commonPrefix($0.tokens, $0.tokens.count, tokens, tokens.count)) }.max { $0.1 < $1.1 }
        return best.map { $0.0.rows.prefix($0.1) } ?? []
    }
}
