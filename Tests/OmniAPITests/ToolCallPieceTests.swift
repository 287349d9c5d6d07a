import Testing

@testable import OmniAPI

@Suite("Calls of tools in pieces")
struct ToolCallPieceTests {
    private func piece(_ index: Int, id: String? = nil, name: String? = nil, _ arguments: String = "") -> ToolCallDelta {
        ToolCallDelta(index: index, id: id, name: name, arguments: arguments)
    }

    @Test("pieces of two calls are joined, whatever comes between them")
    func joined() {
        var calls: [ToolCall] = []
        let pieces = [piece(0, id: "a", name: "f"), piece(1, id: "b", name: "g", "{"), piece(0, "{}"), piece(1, "}")]
        for piece in pieces { calls.join(piece) }
        #expect(calls == [ToolCall(id: "a", name: "f", arguments: "{}"), ToolCall(id: "b", name: "g", arguments: "{}")])
    }

    @Test("places that no message has, from a server elsewhere, end nothing and take no memory", arguments: [-1, 1024, Int.max])
    func foreign(index: Int) {
        var calls = [ToolCall(id: "a", name: "f", arguments: "{}")]
        calls.join(piece(index, id: "x", name: "y", "z"))
        #expect(calls == [ToolCall(id: "a", name: "f", arguments: "{}")])
    }
}
