import Foundation

/// What was typed.
enum Key: Equatable {
    case text(String)
    case enter, newLine, tab, escape
    case backspace, delete, left, right, up, down, home, end, wordLeft, wordRight
    /// Control with a letter, small.
    case control(Character)
    case paste(String)
    /// The terminal is gone.
    case endOfInput
}

/// Reads keys from the terminal, which is in raw mode.
struct KeyReader {
    private let descriptor: Int32

    init(descriptor: Int32 = STDIN_FILENO) { self.descriptor = descriptor }

    /// Waits for the next key.
    func next() -> Key {
        guard let byte = readByte() else { return .endOfInput }
        switch byte {
        // What was typed before the terminal was ours has line feeds.
        case 0x0D, 0x0A: return .enter
        case 0x09: return .tab
        case 0x7F, 0x08: return .backspace
        case 0x1B: return afterEscape()
        case 0x01...0x1A: return .control(Character(UnicodeScalar(byte + 0x60)))
        case 0..<0x20: return next()
        default: return .text(character(byte))
        }
    }

    private func afterEscape() -> Key {
        guard isReady(50), let byte = readByte() else { return .escape }
        switch byte {
        case UInt8(ascii: "["): return sequence()
        case UInt8(ascii: "O"):
            switch readByte() {
            case UInt8(ascii: "H"): return .home
            case UInt8(ascii: "F"): return .end
            case UInt8(ascii: "A"): return .up
            case UInt8(ascii: "B"): return .down
            case UInt8(ascii: "C"): return .right
            case UInt8(ascii: "D"): return .left
            default: return .escape
            }
        // Alt with Enter.
        case 0x0D, 0x0A: return .newLine
        case UInt8(ascii: "b"): return .wordLeft
        case UInt8(ascii: "f"): return .wordRight
        case 0x7F: return .control("w")
        default: return .escape
        }
    }

    private func sequence() -> Key {
        var parameters = ""
        while let byte = readByte() {
            guard (0x40...0x7E).contains(byte) else {
                parameters.unicodeScalars.append(UnicodeScalar(byte))
                continue
            }
            let withControl = parameters.hasSuffix(";5") || parameters.hasSuffix(";3")
            switch UnicodeScalar(byte) {
            case "A": return .up
            case "B": return .down
            case "C": return withControl ? .wordRight : .right
            case "D": return withControl ? .wordLeft : .left
            case "H": return .home
            case "F": return .end
            case "~":
                switch parameters {
                case "1", "7": return .home
                case "4", "8": return .end
                case "3": return .delete
                case "200": return .paste(pasted())
                default: return .escape
                }
            // Shift with Enter, where terminals tell it.
            case "u": return parameters.hasPrefix("13") ? .newLine : .escape
            default: return .escape
            }
        }
        return .endOfInput
    }

    /// What was pasted, up to the mark of its end.
    private func pasted() -> String {
        let mark = Array("\u{1B}[201~".utf8)
        var bytes: [UInt8] = []
        while let byte = readByte() {
            bytes.append(byte)
            if bytes.suffix(mark.count).elementsEqual(mark) {
                bytes.removeLast(mark.count)
                break
            }
        }
        let text = String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\r\n", with: "\n").replacingOccurrences(
            of: "\r", with: "\n")
        return Terminal.harmless(text)
    }

    /// The rest of a UTF-8 character.
    private func character(_ first: UInt8) -> String {
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
        var bytes = [first]
        while bytes.count < length, let byte = readByte() { bytes.append(byte) }
        return Terminal.harmless(String(decoding: bytes, as: UTF8.self))
    }

    private func readByte() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = read(descriptor, &byte, 1)
            if count == 1 { return byte }
            if count < 0, errno == EINTR { continue }
            return nil
        }
    }

    private func isReady(_ milliseconds: Int32) -> Bool {
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&wait, 1, milliseconds) > 0
    }
}
