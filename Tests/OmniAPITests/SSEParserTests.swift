import Testing

@testable import OmniAPI

@Suite("Event streams on the wire")
struct SSEParserTests {
    private let text =
        "\u{FEFF}: keep-alive\n\nevent: a\r\ndata: {\"x\":\"é\"}\r\n\r\ndata:one\ndata: two\nid: 7\n\nevent: lost\n\ndata: [DONE]\n\ndata: cut"
    private let items: [SSEParser.Item] = [
        .comment("keep-alive"), .event(ServerEvent(name: "a", data: "{\"x\":\"é\"}")), .event(ServerEvent(data: "one\ntwo")),
        .event(ServerEvent(data: "[DONE]")),
    ]

    @Test("comments, names, several lines of data, every line end; an event without its end is none")
    func whole() {
        var parser = SSEParser()
        #expect(parser.push(Array(text.utf8)) == items)
    }

    @Test("pieces may be cut anywhere, inside a character too", arguments: 1...7)
    func pieces(size: Int) {
        var parser = SSEParser()
        let bytes = Array(text.utf8)
        let found = stride(from: 0, to: bytes.count, by: size).flatMap { parser.push(bytes[$0..<min($0 + size, bytes.count)]) }
        #expect(found == items)
    }
}
