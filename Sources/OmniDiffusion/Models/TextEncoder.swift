import OmniTensor

/// What a text encoder reads.
struct TextInput: Sendable {
    var ids: [Int]
    /// False for padding, which no token looks at; nil where every token counts.
    var mask: [Bool]?
    /// Of each token along up to three axes, where they do not just count up.
    var positions: [[Int32]]?
    /// States that stand in for those of tokens: what an encoder of pictures made.
    var insertions: [Insertion] = []

    /// States `[hidden, count]` for the tokens from `place` on.
    struct Insertion: Sendable {
        let place, count: Int
        let states: [Float]
    }

    init(_ ids: [Int]) { self.ids = ids }

    /// The tokens, and behind them `padding` until there are `count`: padding has states too, which see the tokens.
    init(_ ids: [Int], paddedTo count: Int, with padding: Int) {
        let missing = max(0, count - ids.count)
        self.ids = ids + [Int](repeating: padding, count: missing)
        if missing > 0 { mask = ids.map { _ in true } + [Bool](repeating: false, count: missing) }
    }
}

/// A text encoder as families see it.
protocol TextEncoder: Sendable {
    /// States of that many features.
    var width: Int { get }
    /// Hidden states `[width, tokens]` after layers: 0 is what goes into the first, and the last layer's are normalized.
    ///
    /// - Throws: ``DiffusionError`` for tokens outside the vocabulary, for layers that were not loaded, and for what the encoder
    ///   cannot read.
    func states(_ graph: Graph, _ input: TextInput, layers: [Int]) throws -> [Tensor]
}

extension TextEncoder {
    /// Throws for token ids that the embedding has no row for, and for a mask of another length.
    func check(_ input: TextInput, vocabulary: Int) throws {
        if let odd = input.ids.first(where: { !(0..<vocabulary).contains($0) }) {
            throw DiffusionError.checkpoint(
                path: "tokenizer", reason: "gives the token \(odd), outside the text encoder's vocabulary of \(vocabulary)")
        }
        guard input.mask.map({ $0.count == input.ids.count }) ?? true else {
            throw DiffusionError.unsupported("a mask that is not as long as the text")
        }
    }
}
