import Foundation

/// Reads messages in a terminal, with editing, history and several lines.
final class LineEditor {
    enum Result: Equatable {
        case message(String)
        /// Ctrl-C.
        case interrupted
        /// Ctrl-D in an empty line, or a terminal that is gone.
        case ended
    }

    private let prompt: String
    private let history: InputHistory
    private var shownRow = 0

    init(prompt: String, history: InputHistory) {
        self.prompt = prompt
        self.history = history
    }

    /// The next message. Blocks its thread.
    func read() -> Result {
        guard !Terminal.isDumb, let raw = RawMode() else { return plainRead() }
        defer { withExtendedLifetime(raw) {} }
        var buffer = LineBuffer()
        var place = history.entries.count
        var draft = ""
        shownRow = 0
        draw(buffer)
        let keys = KeyReader()
        while true {
            switch keys.next() {
            case .enter:
                // A backslash at the end goes on in the next line.
                if buffer.string.hasSuffix("\\") {
                    buffer.moveToEnd()
                    buffer.deleteBack()
                    buffer.insert("\n")
                } else {
                    finish(&buffer)
                    history.add(buffer.string)
                    return .message(buffer.string)
                }
            case .newLine: buffer.insert("\n")
            case .text(let text): buffer.insert(text)
            case .paste(let text): buffer.insert(text)
            case .tab: buffer.insert("\t")
            case .control("c"):
                finish(&buffer)
                return .interrupted
            case .control("d"):
                if buffer.isEmpty {
                    finish(&buffer)
                    return .ended
                }
                buffer.deleteForward()
            case .endOfInput: return .ended
            case .up, .control("p"):
                if !buffer.moveLine(-1), place > 0 {
                    if place == history.entries.count { draft = buffer.string }
                    place -= 1
                    buffer.set(history.entries[place])
                }
            case .down, .control("n"):
                if !buffer.moveLine(1), place < history.entries.count {
                    place += 1
                    buffer.set(place == history.entries.count ? draft : history.entries[place])
                }
            case .control("l"):
                Output.write("\u{1B}[2J\u{1B}[H")
                shownRow = 0
            case let key: Self.edit(&buffer, key)
            }
            draw(buffer)
        }
    }

    private static func edit(_ buffer: inout LineBuffer, _ key: Key) {
        switch key {
        case .backspace: buffer.deleteBack()
        case .delete: buffer.deleteForward()
        case .left, .control("b"): buffer.moveLeft()
        case .right, .control("f"): buffer.moveRight()
        case .home, .control("a"): buffer.moveToLineStart()
        case .end, .control("e"): buffer.moveToLineEnd()
        case .wordLeft: buffer.moveWordLeft()
        case .wordRight: buffer.moveWordRight()
        case .control("k"): buffer.cutToLineEnd()
        case .control("u"): buffer.cutToLineStart()
        case .control("w"): buffer.cutWordBack()
        case .control("y"): buffer.paste()
        default: break
        }
    }

    /// Writes the text anew over what was shown.
    private func draw(_ buffer: LineBuffer) {
        let window = Terminal.size(STDOUT_FILENO)
        let layout = buffer.layout(columns: window.columns, indent: Terminal.width(prompt), limit: window.rows)
        var text = "\r" + (shownRow > 0 ? "\u{1B}[\(shownRow)A" : "") + "\u{1B}[J" + (layout.isCutAbove ? "" : prompt)
        text += layout.rows.joined(separator: "\r\n")
        let below = layout.rows.count - 1 - layout.cursorRow
        text += (below > 0 ? "\u{1B}[\(below)A" : "") + "\r" + (layout.cursorColumn > 0 ? "\u{1B}[\(layout.cursorColumn)C" : "")
        Output.write(text)
        shownRow = layout.cursorRow
    }

    private func finish(_ buffer: inout LineBuffer) {
        buffer.moveToEnd()
        draw(buffer)
        Output.write("\r\n")
    }

    /// For terminals that cannot move the cursor.
    private func plainRead() -> Result {
        Output.write(prompt)
        guard let line = readLine() else { return .ended }
        history.add(line)
        return .message(line)
    }
}

/// What was typed before, in a file that only its owner can read. Line ends within a message are written as `\n`.
final class InputHistory {
    private(set) var entries: [String] = []
    private let file: URL?
    /// Said once.
    private var isLost = false
    /// Most entries that are kept.
    static let most = 1000

    /// - Parameter file: nil keeps it in memory only.
    init(file: URL?) {
        self.file = file
        guard let file, let bytes = try? Data(contentsOf: file) else { return }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        entries = lines.suffix(Self.most).map { Self.unescaped(String($0)) }
        if lines.count > Self.most { write(entries, O_TRUNC) }
    }

    func add(_ entry: String) {
        guard entry.contains(where: { !$0.isWhitespace }), entry != entries.last else { return }
        entries.append(entry)
        if entries.count > Self.most { entries.removeFirst() }
        write([entry], O_APPEND)
    }

    /// Appended in one piece, so that several conversations can keep one history.
    private func write(_ entries: [String], _ mode: Int32) {
        guard let file, !isLost else { return }
        try? FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let bytes = Array(entries.map { Self.escaped($0) + "\n" }.joined().utf8)
        let descriptor = open(file.path, O_WRONLY | O_CREAT | O_CLOEXEC | mode, 0o600)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, Foundation.write(descriptor, bytes, bytes.count) == bytes.count else {
            isLost = true
            return Output.note(
                "omni: \(FileFault.unwritable(file.path, String(cString: strerror(errno))).message) What you type is not kept.")
        }
    }

    static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\n", with: "\\n")
    }

    static func unescaped(_ text: String) -> String {
        var result = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                result.append(character == "n" ? "\n" : character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                result.append(character)
            }
        }
        return result
    }
}
