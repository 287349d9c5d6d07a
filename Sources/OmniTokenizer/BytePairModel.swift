/// Byte-level byte pair encoding (arXiv:1508.07909): a word starts as its bytes; the pair that was learnt first is joined
/// first, until no known pair is left.
struct BytePairModel: TokenModel {
    private let bytes: [Int]
    private let merges: [Pair: Merge]
    /// Whole words, where the model takes them without merging.
    private let wholeWords: [[UInt8]: Int]

    private struct Pair: Hashable {
        let left: Int
        let right: Int
    }

    private struct Merge {
        let rank: Int
        let id: Int
    }

    init(_ model: TokenizerFile.Model) throws {
        func id(_ token: String) throws -> Int {
            guard let id = model.vocab[token] else { throw TokenizerError(path: "", reason: "merges to \(token), which has no id") }
            return id
        }
        bytes = try ByteAlphabet.characters.map { try id(String($0)) }
        var merges: [Pair: Merge] = [:]
        for (rank, merge) in model.merges.enumerated() {
            let pair = try Pair(left: id(merge.left), right: id(merge.right))
            if merges[pair] == nil { merges[pair] = try Merge(rank: rank, id: id(merge.left + merge.right)) }
        }
        self.merges = merges
        wholeWords =
            model.ignore_merges == true
            ? Dictionary(model.vocab.map { (ByteAlphabet.bytes(of: $0.key), $0.value) }) { first, _ in first } : [:]
    }

    func encode(_ word: [UInt8], into ids: inout [Int]) {
        if let id = wholeWords[word] { return ids.append(id) }
        var symbols = word.map { bytes[Int($0)] }
        // Neighbours by index; a joined symbol lives on in its left place.
        var next = symbols.indices.map { $0 + 1 }
        var previous = symbols.indices.map { $0 - 1 }
        var alive = [Bool](repeating: true, count: symbols.count)
        var queue = MergeQueue()
        func offer(_ left: Int) {
            guard left >= 0, next[left] < symbols.count, let merge = merges[Pair(left: symbols[left], right: symbols[next[left]])] else {
                return
            }
            queue.push(MergeQueue.Candidate(rank: merge.rank, place: left, id: merge.id, pair: (symbols[left], symbols[next[left]])))
        }
        for place in symbols.indices { offer(place) }
        while let candidate = queue.pop() {
            let place = candidate.place
            // A candidate is stale when either side has been joined since.
            guard alive[place], next[place] < symbols.count, (symbols[place], symbols[next[place]]) == candidate.pair else { continue }
            let gone = next[place]
            alive[gone] = false
            symbols[place] = candidate.id
            next[place] = next[gone]
            if next[place] < symbols.count { previous[next[place]] = place }
            offer(previous[place])
            offer(place)
        }
        for place in symbols.indices where alive[place] { ids.append(symbols[place]) }
    }
}

/// Merges that could be made, lowest rank and leftmost first: a binary heap.
private struct MergeQueue {
    struct Candidate {
        let rank: Int
        let place: Int
        let id: Int
        let pair: (Int, Int)
        func precedes(_ other: Candidate) -> Bool { (rank, place) < (other.rank, other.place) }
    }

    private var heap: [Candidate] = []

    mutating func push(_ candidate: Candidate) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> Candidate? {
        guard let top = heap.first else { return nil }
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        var parent = 0
        while true {
            let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < heap.count }
            guard let least = children.min(by: { heap[$0].precedes(heap[$1]) }), heap[least].precedes(heap[parent]) else { return top }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
