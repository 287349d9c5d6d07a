import Foundation
import OmniMedia

/// DEC's sixel graphics.
enum Sixel {
    /// Six rows a band, each colour of a cube of 216 in its turn, with an ordered dither.
    static func encode(_ picture: Picture) -> String {
        let levels = (0..<picture.width * picture.height).map { place in index(picture, place) }
        var text = "\u{1B}Pq\"1;1;\(picture.width);\(picture.height)"
        for colour in Set(levels).sorted() {
            text += "#\(colour);2;\(colour / 36 * 20);\(colour / 6 % 6 * 20);\(colour % 6 * 20)"
        }
        for top in stride(from: 0, to: picture.height, by: 6) {
            let rows = top..<min(top + 6, picture.height)
            let used = Set(rows.flatMap { row in (0..<picture.width).map { levels[row * picture.width + $0] } }).sorted()
            for colour in used {
                let bits = (0..<picture.width).map { x in
                    rows.reduce(0) { levels[$1 * picture.width + x] == colour ? $0 | 1 << ($1 - top) : $0 }
                }
                text += "#\(colour)" + runs(bits) + "$"
            }
            text += "-"
        }
        return text + "\u{1B}\\"
    }

    /// Equal cells in a row are written once with their number.
    private static func runs(_ bits: [Int]) -> String {
        var text = ""
        var start = 0
        while start < bits.count {
            let end = bits[start...].firstIndex { $0 != bits[start] } ?? bits.count
            let character = String(UnicodeScalar(UInt8(63 + bits[start])))
            text += end - start > 3 ? "!\(end - start)\(character)" : String(repeating: character, count: end - start)
            start = end
        }
        return text
    }

    private static func index(_ picture: Picture, _ place: Int) -> Int {
        // Bayer's 2 by 2 matrix, as shares of a level.
        let (x, y) = (place % picture.width, place / picture.width)
        let bias = [[0, 2], [3, 1]][y & 1][x & 1] * 51 / 4
        func level(_ channel: Int) -> Int { min(5, (Int(picture.pixels[place * picture.channels + channel]) + bias) / 51) }
        return level(0) * 36 + level(1) * 6 + level(2)
    }

    /// Asks the terminal what it can (primary device attributes; 4 is sixel), and waits a fifth of a second. Does not ask where input
    /// waits, and reads no further than the reply: the rest was typed.
    static func isOffered() -> Bool {
        guard Terminal.isInteractive, let raw = RawMode() else { return false }
        defer { withExtendedLifetime(raw) {} }
        var wait = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&wait, 1, 0) == 0 else { return false }
        Output.write("\u{1B}[c")
        var reply: [UInt8] = []
        while isBegun(reply), poll(&wait, 1, 200) > 0 {
            var byte: UInt8 = 0
            guard read(STDIN_FILENO, &byte, 1) == 1 else { break }
            reply.append(byte)
        }
        return offers(reply)
    }

    /// Whether `reply` is the beginning of `ESC [ ? 62 ; 4 c`.
    static func isBegun(_ reply: [UInt8]) -> Bool {
        zip(reply, head).allSatisfy(==) && reply.count < 64
            && reply.dropFirst(head.count).allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: ";")).contains($0) }
    }

    static func offers(_ reply: [UInt8]) -> Bool {
        guard reply.last == UInt8(ascii: "c"), isBegun(reply.dropLast()), reply.count > head.count else { return false }
        return reply.dropFirst(head.count).dropLast().split(separator: UInt8(ascii: ";")).contains([UInt8(ascii: "4")])
    }

    private static let head = Array("\u{1B}[?".utf8)
}
