import CLlamaChat
import OmniAPI

/// What a model has written, taken apart: reasoning, answer, calls.
struct ParsedAnswer: Equatable, Sendable {
    struct Call: Equatable, Sendable {
        var name: String
        var arguments: String
    }

    var content = ""
    var reasoning = ""
    var calls: [Call] = []
}

/// Takes apart everything that was written so far; `isPartial` while more may come.
protocol AnswerParsing: Sendable {
    /// Texts at which words may end: what comes without one of them only adds to the words before it.
    var marks: [String] { get }
    func parse(_ text: String, isPartial: Bool) throws -> ParsedAnswer
}

/// Reads a model's own way of writing reasoning and tool calls.
///
/// Unchecked: llama.cpp's parser is only read after it was made.
final class AnswerParser: AnswerParsing, @unchecked Sendable {
    private let handle: OpaquePointer
    let marks: [String]

    init(_ applied: String, marks: [String], toolCalls: Bool) throws {
        self.marks = marks
        handle = try throwingText { omni_parser_open(applied, toolCalls, $0) }
    }

    deinit { omni_parser_close(handle) }

    func parse(_ text: String, isPartial: Bool) throws -> ParsedAnswer {
        var text = text
        let json = try text.withUTF8 { bytes in
            try bytes.withMemoryRebound(to: CChar.self) { characters in
                adoptText(try throwingText { omni_parser_read(handle, characters.baseAddress, characters.count, isPartial, $0) })
            }
        }
        let message = try JSONValue.parse(json)
        return ParsedAnswer(
            content: message["content"]?.stringValue ?? "", reasoning: message["reasoning_content"]?.stringValue ?? "",
            calls: (message["tool_calls"]?.arrayValue ?? []).map {
                ParsedAnswer.Call(name: $0["name"]?.stringValue ?? "", arguments: $0["arguments"]?.stringValue ?? "")
            })
    }
}
