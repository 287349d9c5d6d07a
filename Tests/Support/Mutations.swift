import Foundation

/// SplitMix64: the same numbers for the same seed, so that a mutation that fails can be made again.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// How long tests that try many cases may take.
package enum TestScale {
    /// `make test-full` sets the variable.
    package static let isFull = ProcessInfo.processInfo.environment["OMNI_TEST_FULL"] != nil

    /// As many cases as the run has time for.
    package static func cases(_ quick: Int, full: Int) -> Int { isFull ? full : quick }
}

extension Array where Element == UInt8 {
    /// A copy with one to four faults in `range`, the kinds that parsers fall over: single bytes, whole numbers at the edges of
    /// their types, bytes that are missing, doubled or of another place, and an early end.
    package func damaged(in range: Range<Int>, using random: inout SeededGenerator) -> [UInt8] {
        var bytes = self
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let end = Swift.min(range.upperBound, bytes.count)
            guard range.lowerBound < end else { break }
            let place = Int.random(in: range.lowerBound..<end, using: &random)
            let length = Swift.min(Int.random(in: 1...16, using: &random), end - place)
            switch Int.random(in: 0..<16, using: &random) {
            case 0...2: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 3...10:
                let width = [1, 2, 4, 8][Int.random(in: 0..<4, using: &random)]
                let number = Self.edges[Int.random(in: 0..<Self.edges.count, using: &random)]
                for index in 0..<Swift.min(width, end - place) {
                    bytes[place + index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index)))
                }
            case 11: bytes.removeSubrange(place..<place + length)
            case 12: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
            case 13, 14:
                let source = Int.random(in: range.lowerBound..<end, using: &random)
                let count = Swift.min(length, end - source)
                bytes.replaceSubrange(place..<place + Swift.min(count, length), with: bytes[source..<source + count])
            default: bytes.removeSubrange(place...)
            }
        }
        return bytes
    }

    private static let edges: [UInt64] = [
        0, 1, 2, 31, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32, 1 << 40, 1 << 61, 1 << 62,
        UInt64(Int64.max) - 31, UInt64(Int64.max) - 1, UInt64(Int64.max), 1 << 63, UInt64.max - 1, UInt64.max,
    ]
}
