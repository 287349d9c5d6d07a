/// A unigram vocabulary (arXiv:1804.10959): of all ways to cut a word into known pieces the one whose scores sum highest,
/// found by Viterbi's algorithm. What no piece covers is the unknown token, or its bytes where the vocabulary has pieces for
/// them.
struct UnigramModel: TokenModel {
    private let table: PieceTable
    private let scores: [Double]
    private let unknown: Int
    private let unknownScore: Double
    /// Ids of `<0x00>` to `<0xFF>`; nil without byte fallback.
    private let bytes: [Int?]?

    /// How much worse than the worst piece an unknown character is.
    private static let penalty = 10.0

    init(_ model: TokenizerFile.Model) throws {
        guard !model.pieces.isEmpty else { throw TokenizerError(path: "", reason: "has a Unigram model without pieces") }
        guard let unknown = model.unk_id, model.pieces.indices.contains(unknown) else {
            throw TokenizerError(path: "", reason: "has a Unigram model without an unknown token")
        }
        self.unknown = unknown
        scores = model.pieces.map(\.score)
        unknownScore = (scores.min() ?? 0) - Self.penalty
        table = PieceTable(model.pieces.map { Array($0.text.utf8) })
        let table = table
        bytes =
            model.byte_fallback != true
            ? nil
            : (0..<256).map { byte in
                let hex = String(byte, radix: 16, uppercase: true)
                return table.id(of: Array("<0x\(byte < 16 ? "0" : "")\(hex)>".utf8))
            }
    }

    private struct Node {
        var score = 0.0
        var start = -1
        var id = 0
    }

    func encode(_ word: [UInt8], into ids: inout [Int]) {
        let path = bestPath(word)
        var place = path.startIndex
        while place < path.endIndex {
            guard path[place].id == unknown else {
                ids.append(path[place].id)
                place += 1
                continue
            }
            // Unknown characters beside each other are one.
            let end = path[place...].firstIndex { $0.id != unknown } ?? path.endIndex
            let last = end < path.endIndex ? path[end].start : word.count
            appendUnknown(word[path[place].start..<last], into: &ids)
            place = end
        }
    }

    private func appendUnknown(_ text: ArraySlice<UInt8>, into ids: inout [Int]) {
        if let bytes {
            let known = text.compactMap { bytes[Int($0)] }
            if known.count == text.count { return ids.append(contentsOf: known) }
        }
        ids.append(unknown)
    }

    /// The best way to the word's end, from its start.
    private func bestPath(_ word: [UInt8]) -> [Node] {
        var best = [Node](repeating: Node(), count: word.count + 1)
        var start = 0
        while start < word.count {
            let length = Self.length(word[start])
            let score = best[start].score
            var hasOne = false
            func offer(_ end: Int, _ candidate: Node) {
                if best[end].start < 0 || candidate.score > best[end].score { best[end] = candidate }
            }
            table.prefixes(of: word, from: start) { end, id in
                offer(end, Node(score: scores[id] + score, start: start, id: id))
                if end == start + length { hasOne = true }
            }
            let end = min(start + length, word.count)
            if !hasOne { offer(end, Node(score: unknownScore + score, start: start, id: unknown)) }
            start = end
        }
        var path: [Node] = []
        var end = word.count
        while end > 0 {
            path.append(best[end])
            end = best[end].start
        }
        return path.reversed()
    }

    /// Bytes of the character that begins with `byte`.
    private static func length(_ byte: UInt8) -> Int { byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4 }
}

/// Byte strings in order, which finds all that a text begins with.
struct PieceTable: Sendable {
    private let bytes: [UInt8]
    /// Where string `i` begins; one more than there are strings.
    private let starts: [Int]
    private let ids: [Int]

    /// The id of a string is its place. Of equal strings the last counts.
    init(_ strings: [[UInt8]]) {
        let order = strings.indices.sorted { a, b in
            if strings[a].lexicographicallyPrecedes(strings[b]) { return true }
            return strings[a] == strings[b] && a < b
        }
        var (bytes, starts, ids) = ([UInt8](), [Int](), [Int]())
        for (place, id) in order.enumerated()
        where !strings[id].isEmpty && (place + 1 == order.count || strings[order[place + 1]] != strings[id]) {
            starts.append(bytes.count)
            ids.append(id)
            bytes += strings[id]
        }
        starts.append(bytes.count)
        (self.bytes, self.starts, self.ids) = (bytes, starts, ids)
    }

    /// Calls `body` with the end and the id of every string that `text` has from `start`, shortest first.
    func prefixes(of text: [UInt8], from start: Int, _ body: (_ end: Int, _ id: Int) -> Void) {
        // The strings that begin as the text does so far; the shortest is first.
        var range = 0..<ids.count
        for place in start..<text.count {
            let depth = place - start
            let low = first(in: range) { byte($0, depth) >= Int(text[place]) }
            let high = first(in: low..<range.upperBound) { byte($0, depth) > Int(text[place]) }
            range = low..<high
            guard !range.isEmpty else { return }
            if starts[low + 1] - starts[low] == depth + 1 { body(place + 1, ids[low]) }
        }
    }

    func id(of string: [UInt8]) -> Int? {
        var found: Int?
        prefixes(of: string, from: 0) { end, id in if end == string.count { found = id } }
        return found
    }

    /// Byte `depth` of string `index`, −1 behind its end.
    private func byte(_ index: Int, _ depth: Int) -> Int {
        let place = starts[index] + depth
        return place < starts[index + 1] ? Int(bytes[place]) : -1
    }

    private func first(in range: Range<Int>, where holds: (Int) -> Bool) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
