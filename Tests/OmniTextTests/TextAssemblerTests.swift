import Testing

@testable import OmniText

@Suite("Text from tokens")
struct TextAssemblerTests {
    @Test("a character that spans tokens is sent whole")
    func wholeCharacters() {
        var assembler = TextAssembler()
        let bytes = Array("é😀".utf8)
        #expect(assembler.add([bytes[0]]).text == "")
        #expect(assembler.add([bytes[1], bytes[2]]).text == "é")
        #expect(assembler.add([bytes[3], bytes[4]]).text == "")
        #expect(assembler.add([bytes[5], UInt8(ascii: "!")]).text == "😀!")
        #expect(assembler.finish() == "")
    }

    @Test("bytes that are no text become replacement characters and hold nothing up")
    func invalidBytes() {
        var assembler = TextAssembler()
        #expect(assembler.add([0xFF, 0x61]).text == "\u{FFFD}a")
        #expect(assembler.add([0xC3]).text == "")
        #expect(assembler.finish() == "\u{FFFD}")
    }

    @Test("a stop text is found across tokens and nothing of it is sent")
    func stopAcrossTokens() {
        var assembler = TextAssembler(stop: ["END"])
        #expect(assembler.add(Array("one E".utf8)).text == "one ")
        #expect(assembler.add(Array("N".utf8)).text == "")
        #expect(assembler.add(Array("D two".utf8)) == .init(text: "", stop: "END"))
    }

    @Test("what only looked like a stop text is sent after all")
    func almostStop() {
        var assembler = TextAssembler(stop: ["END"])
        #expect(assembler.add(Array("EN".utf8)).text == "")
        #expect(assembler.add(Array("TER E".utf8)).text == "ENTER ")
        #expect(assembler.finish() == "E")
    }

    @Test("the stop text that ends first wins; it is sent when asked for")
    func firstStop() {
        var assembler = TextAssembler(stop: ["cd", "b"], includesStop: true)
        #expect(assembler.add(Array("abcd".utf8)) == .init(text: "ab", stop: "b"))
    }

    @Test("a stop text that repeats its own beginning is found")
    func selfOverlap() {
        var assembler = TextAssembler(stop: ["aab"])
        #expect(assembler.add(Array("aa".utf8)).text == "")
        #expect(assembler.add(Array("a".utf8)).text == "a")
        #expect(assembler.add(Array("b".utf8)).stop == "aab")
    }

    @Test("before the least length no stop text ends the answer")
    func minimum() {
        var assembler = TextAssembler(stop: ["x"])
        #expect(assembler.add(Array("ax".utf8), mayStop: false) == .init(text: "ax", stop: nil))
    }
}
