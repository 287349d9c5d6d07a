import Foundation
import OmniAPI
import Testing

@testable import OmniSpeech

@Suite("Text for speech")
struct TextTests {
    @Test("paragraphs, headings and lists become units; what only looks is not spoken")
    func markdown() {
        let text = SpeechText("# Title\nSome **bold** text\nover two lines. And `code`.\n\n- first item\n- second_item 5 * 3\u{200B}\u{7}")
        #expect(text.units.map(\.text) == ["Title", "Some bold text over two lines.", "And code.", "first item", "second_item 5 * 3"])
        #expect(text.units.map(\.endsParagraph) == [true, false, true, true, true])
    }

    @Test("a long sentence is cut at clauses, then at spaces, and nothing is lost")
    func long() {
        let clauses = (1...40).map { "this is clause number \($0)" }.joined(separator: ", ") + "."
        let units = SpeechText(clauses, longest: 100).units.map(\.text)
        #expect(units.count > 8 && units.allSatisfy { $0.unicodeScalars.count <= 100 })
        #expect(units.joined(separator: " ") == clauses)
        #expect(units.dropLast().allSatisfy { $0.hasSuffix(",") })
        let word = String(repeating: "x", count: 1000)
        let pieces = SpeechText("a b \(word) c", longest: 100).units.map(\.text)
        #expect(pieces.allSatisfy { $0.count <= 100 } && pieces.joined().filter { $0 == "x" }.count == 1000)
    }

    @Test("clauses keep their marks, numbers stay whole")
    func clauses() {
        let found = PhonemeText.clauses("Well, 3.14 and 10:30 e.g. (this); \"that?!\" 你好。是")
        #expect(found.map(\.text) == ["Well", "3.14 and 10:30 e.g", "(this)", "\"that", "\" 你好", "是"])
        #expect(found.map(\.mark) == [",", ".", ";", "?", ".", nil])
    }

    @Test("phonemes are taken apart, unknown ones dropped and named, flags left out")
    func phonemes() throws {
        let table = try table("a 1\nb 2\n\u{303} 3\n, 4\n. 5\n  6\n_ 0\n")
        let text = PhonemeText("one, two.", table: table) { $0 == "one" ? "ã_b(fr)" : "bøa" }
        #expect(String(String.UnicodeScalarView(text.symbols)) == "a\u{303}b, ba.")
        #expect(text.dropped == ["ø"] && !text.isSilent)
        #expect(PhonemeText("...", table: table) { _ in "" }.isSilent)
    }

    @Test(
        "a table with a line that sherpa-onnx would end over is refused",
        arguments: ["a\n", "a b c\n", "ab 1\n", "a x\n", "a 1\na 2\n", ""])
    func badTable(text: String) {
        #expect(throws: APIError.self) { try table(text) }
    }

    func table(_ text: String) throws -> SymbolTable {
        let path = "\(NSTemporaryDirectory())/tokens-\(UUID().uuidString).txt"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try SymbolTable(path: path, singleScalars: true)
    }

    @Test(
        "languages by code, tag and English name",
        arguments: [
            ("English", "en-us"), ("en-GB", "en-gb"), ("de_DE", "de"), ("Chinese", "cmn"), ("fr", "fr-fr"), ("pt-BR", "pt-br"),
            ("German", "de"),
        ])
    func languages(name: String, voice: String) {
        #expect(SpeechLanguage.espeakVoice(name) == voice)
    }
}
