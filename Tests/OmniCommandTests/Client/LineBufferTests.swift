import Foundation
import Testing

@testable import omni

@Suite("Line editing")
struct LineBufferTests {
    @Test("insert, delete and cut at the cursor, by whole characters")
    func editing() {
        var line = LineBuffer("one 👩‍👩‍👧 two")
        line.moveWordLeft()
        line.deleteBack()
        line.deleteBack()
        #expect(line.string == "one two" && line.cursor == 4)
        line.cutToLineStart()
        #expect(line.string == "two")
        line.moveToEnd()
        line.insert(" ")
        line.paste()
        #expect(line.string == "two one ")
        line.cutWordBack()
        #expect(line.string == "two " && String(line.cut) == "one ")
        line.insert("e")
        line.insert("\u{301}")
        #expect(line.text.count == 5 && line.cursor == 5)
    }

    @Test("up and down within several lines, and out of them")
    func lines() {
        var line = LineBuffer("long first\nab\nthird")
        let below = line.moveLine(1)
        #expect(!below)
        let first = line.moveLine(-1)
        #expect(first && line.cursor == 13)
        let second = line.moveLine(-1)
        #expect(second && line.cursor == 2)
        let third = line.moveLine(-1)
        #expect(!third)
        line.cutToLineEnd()
        #expect(line.string == "lo\nab\nthird")
        line.cutToLineEnd()
        #expect(line.string == "loab\nthird")
    }

    @Test("rows of a window: wrapped by columns, wide characters not cut, the cursor where it belongs")
    func layout() {
        var line = LineBuffer("abcdefgh漢字\nx")
        var layout = line.layout(columns: 10, indent: 2)
        #expect(layout.rows == ["abcdefgh", "漢字", "  x"])
        #expect(layout.cursorRow == 2 && layout.cursorColumn == 3)
        line.moveLeft()
        line.moveLeft()
        layout = line.layout(columns: 10, indent: 2)
        #expect(layout.cursorRow == 1 && layout.cursorColumn == 4)
        // A full last row has no place for the cursor.
        layout = LineBuffer("abcdefgh").layout(columns: 10, indent: 2)
        #expect(layout.rows == ["abcdefgh", ""] && layout.cursorRow == 1 && layout.cursorColumn == 0)
    }

    @Test("of a text higher than the window, the rows up to the cursor")
    func highLayout() {
        var line = LineBuffer("1\n2\n3\n4")
        var layout = line.layout(columns: 10, indent: 2, limit: 2)
        #expect(layout.rows == ["  3", "  4"] && layout.cursorRow == 1 && layout.isCutAbove)
        for _ in 1...3 { _ = line.moveLine(-1) }
        layout = line.layout(columns: 10, indent: 2, limit: 2)
        #expect(layout.rows == ["1", "  2"] && layout.cursorRow == 0 && !layout.isCutAbove)
    }

    @Test("tabs become blanks, typed or pasted")
    func tabs() {
        var line = LineBuffer("a\tb")
        line.insert("\t")
        #expect(line.string == "a    b    ")
    }

    @Test("history keeps messages of several lines, each once in a row, for its owner only")
    func history() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("omni-history-\(UUID().uuidString)/chat_history")
        defer { try? FileManager.default.removeItem(at: file.deletingLastPathComponent()) }
        let history = InputHistory(file: file)
        for entry in ["one\ntwo \\n", "one\ntwo \\n", "  ", "three"] { history.add(entry) }
        #expect(InputHistory(file: file).entries == ["one\ntwo \\n", "three"])
        #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o600)
    }

    @Test("two conversations at once keep one history, and a byte that is no text spoils nothing")
    func sharedHistory() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("omni-history-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data([0x61, 0xFF, 0x0A]).write(to: file)
        let histories = [InputHistory(file: file), InputHistory(file: file)]
        for (number, history) in (histories + histories).enumerated() { history.add("\(number)") }
        #expect(InputHistory(file: file).entries == ["a\u{FFFD}", "0", "1", "2", "3"])
    }

    @Test("a history that has grown too long is cut at the start")
    func longHistory() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("omni-history-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try (0...InputHistory.most).map { "\($0)\n" }.joined().write(to: file, atomically: true, encoding: .utf8)
        _ = InputHistory(file: file)
        #expect(
            try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
                == (1...InputHistory.most).map(String.init))
    }
}
