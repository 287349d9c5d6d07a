import OmniAPI
import Testing

@Suite("JSON")
struct JSONTests {
    @Test(
        "keeps the order of keys, whole numbers and escapes",
        arguments: [
            #"{"b":1,"a":[true,false,null],"c":"x\"\\\n\u0001é😀"}"#,
            #"[9223372036854775807,-1,0.5,1e+20]"#,
            #"{}"#,
        ])
    func roundTrip(text: String) throws {
        #expect(try JSONValue.parse(text).jsonText == text)
    }

    @Test("a surrogate pair is one character, a lone surrogate a replacement character")
    func surrogates() throws {
        #expect(try JSONValue.parse(#""\ud83d\ude00""#) == .string("😀"))
        #expect(try JSONValue.parse(#""\ud83dx""#) == .string("\u{FFFD}x"))
    }

    @Test(
        "says where a document breaks",
        arguments: [
            (#"{"messages": ["#, 14), ("", 0), ("{", 1), (#"{"a" 1}"#, 5), ("[1,]", 3), ("01", 1), ("nul", 0), (#"{"a":1} x"#, 8),
            ("\"\u{1}\"", 1),
        ])
    func offsets(text: String, offset: Int) {
        #expect { try JSONValue.parse(text) } throws: { ($0 as? JSONSyntaxError)?.offset == offset }
    }

    @Test("a byte order mark before the document is passed over, and nowhere else")
    func byteOrderMark() throws {
        #expect(try JSONValue.parse("\u{FEFF} {\"a\":1}") == ["a": 1])
        #expect { try JSONValue.parse("\u{FEFF}") } throws: { ($0 as? JSONSyntaxError)?.offset == 3 }
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parse("{\"a\":\u{FEFF}1}") }
    }

    @Test("refuses what would exhaust the stack")
    func depth() {
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parse(String(repeating: "[", count: 100_000)) }
    }

    @Test("the last of repeated keys counts")
    func repeatedKeys() throws {
        #expect(try JSONValue.parse(#"{"a":1,"b":2,"a":3}"#).jsonText == #"{"a":3,"b":2}"#)
    }

    @Test("bytes that are not UTF-8 are refused")
    func invalidUTF8() {
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parse([0x22, 0xFF, 0x22] as [UInt8]) }
    }
}
