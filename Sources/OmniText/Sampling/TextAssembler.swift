/// Turns the bytes of tokens into text that may be sent: only whole characters, and nothing that may yet turn out to be the
/// beginning of a stop text.
struct TextAssembler {
    struct Output: Equatable {
        var text = ""
        /// The stop text that was met; nothing comes after it.
        var stop: String?
    }

    private let stops: [[UInt8]]
    private let stopTexts: [String]
    private let includesStop: Bool
    private let longestStop: Int
    private var held: [UInt8] = []

    init(stop: [String] = [], includesStop: Bool = false) {
        stopTexts = stop.filter { !$0.isEmpty }
        stops = stopTexts.map { Array($0.utf8) }
        self.includesStop = includesStop
        longestStop = stops.map(\.count).max() ?? 0
    }

    /// Nothing is kept back.
    var isEmpty: Bool { held.isEmpty }

    /// `mayStop` is false while the answer has not reached its least length.
    mutating func add(_ bytes: [UInt8], mayStop: Bool = true) -> Output {
        let searchFrom = max(held.count - longestStop + 1, 0)
        held.append(contentsOf: bytes)
        if mayStop, let match = firstStop(from: searchFrom) {
            let end = includesStop ? match.end : match.start
            let text = String(decoding: held[..<end], as: UTF8.self)
            held = []
            return Output(text: text, stop: stopTexts[match.index])
        }
        var ready = held.count - (mayStop ? heldForStops() : 0)
        ready = min(ready, held.count - Self.incompleteTail(held))
        while ready > 0, ready < held.count, held[ready] & 0xC0 == 0x80 { ready -= 1 }
        guard ready > 0 else { return Output() }
        let text = String(decoding: held[..<ready], as: UTF8.self)
        held.removeFirst(ready)
        return Output(text: text)
    }

    /// What is left when no more tokens come. Half a character becomes a replacement character.
    mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// The stop text that ends first.
    private func firstStop(from searchFrom: Int) -> (index: Int, start: Int, end: Int)? {
        var best: (index: Int, start: Int, end: Int)?
        for (index, stop) in stops.enumerated() where stop.count <= held.count {
            for start in stride(from: searchFrom, through: held.count - stop.count, by: 1) {
                if let best, start + stop.count >= best.end { break }
                if held[start..<start + stop.count].elementsEqual(stop) {
                    best = (index, start, start + stop.count)
                    break
                }
            }
        }
        return best
    }

    /// Length of the longest tail that is the beginning of a stop text.
    private func heldForStops() -> Int {
        guard longestStop > 1 else { return 0 }
        for length in stride(from: min(longestStop - 1, held.count), to: 0, by: -1) {
            let tail = held[(held.count - length)...]
            if stops.contains(where: { $0.count > length && tail.elementsEqual($0[..<length]) }) { return length }
        }
        return 0
    }

    /// Number of bytes at the end that begin a character without ending it.
    private static func incompleteTail(_ bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xC0 == 0x80 { continue }
            let length = byte >= 0xF0 && byte < 0xF8 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return byte < 0xF8 && length > back ? back : 0
        }
        return 0
    }
}
