import OmniAPI
import OmniEngine
import Synchronization
import Testing

@testable import OmniText

@Suite("What an answer's text means")
struct AnswerTests {
    /// A template that knows tools, as Qwen2.5's and Hermes' do.
    static let hermes = """
        {%- if tools %}<|im_start|>system
        # Tools
        <tools>{% for tool in tools %}
        {{ tool | tojson }}{% endfor %}
        </tools>
        For each function call return a json object within <tool_call></tool_call> tags:
        <tool_call>
        {"name": <function-name>, "arguments": <args-json-object>}
        </tool_call><|im_end|>
        {% endif %}{%- for message in messages %}<|im_start|>{{ message.role }}
        {%- if message.content %}
        {{ message.content }}{% endif %}{%- if message.tool_calls %}{%- for call in message.tool_calls %}
        <tool_call>
        {"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
        </tool_call>{%- endfor %}{%- endif %}<|im_end|>
        {% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
        {% endif %}
        """

    /// Feeds `text` a character at a time and collects what a client of the stream would have.
    private func streamed(_ text: String, reason: FinishReason = .stop, parser: any AnswerParsing = PlainToolCallParser()) -> Answer {
        var reader = AnswerReader(parser: parser, showsReasoning: true)
        var answers = Answers()
        for character in text {
            for event in reader.read(.text(index: 0, String(character), logprobs: [])) { answers.add(event) }
        }
        for event in reader.read(.finished(index: 0, reason, stopReason: .null)) { answers.add(event) }
        return answers.first
    }

    @Test("a call comes out of the text as a call, in pieces that add up")
    func call() throws {
        let answer = streamed(
            "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Par}\\\"is\", \"days\": [1, 2]}}\n</tool_call>")
        #expect(answer.text == "")
        #expect(answer.calls == [.init(name: "get_weather", arguments: "{\"city\": \"Par}\\\"is\", \"days\": [1, 2]}")])
        #expect(answer.reason == .toolCalls)
        #expect(answer.callIDs.count == 1)
    }

    @Test("words before calls stay words; several calls are told apart")
    func several() {
        func call(_ name: String) -> String { "<tool_call>\n{\"name\": \"\(name)\", \"arguments\": {\"x\": 1}}\n</tool_call>" }
        let answer = streamed("Let me see.\n\(call("a"))\n\(call("b"))")
        #expect(answer.text == "Let me see.")
        #expect(answer.calls.map(\.name) == ["a", "b"])
        #expect(Set(answer.callIDs).count == 2)
    }

    @Test("text without calls arrives whole, also where it almost opens a tag")
    func plain() {
        let answer = streamed("1 <tool and 2 < 3")
        #expect(answer.text == "1 <tool and 2 < 3")
        #expect(answer.calls.isEmpty)
        #expect(answer.reason == .stop)
    }

    @Test("a call cut off by the length limit is not called finished")
    func cut() {
        let answer = streamed("<tool_call>\n{\"name\": \"a\", \"arguments\": {\"x\": \"lo", reason: .length)
        #expect(answer.calls == [.init(name: "a", arguments: "{\"x\": \"lo")])
        #expect(answer.reason == .length)
    }

    @Test("what was sent is never taken back")
    func monotone() {
        var diff = AnswerDiff(index: 0) { "call_1" }
        var answers = Answers()
        for content in ["Hello", "Hello wor", "Hello", "Hello world"] {
            for event in diff.advance(to: ParsedAnswer(content: content), isFinal: false) { answers.add(event) }
        }
        #expect(answers.first.text == "Hello world")
    }

    @Test("a template's reasoning and calls are read by llama.cpp's parser")
    func native() throws {
        let template = try ChatTemplate(source: Self.hermes)
        #expect(template.knowsTools)
        var tool = Tool()
        tool.function.name = "look"
        tool.function.parameters = try JSONValue.parse(#"{"type":"object","properties":{"at":{"type":"string"}},"required":["at"]}"#)
            .objectValue
        let applied = try template.apply(.init(messages: [["role": "user", "content": "Look!"]], tools: [tool]))
        #expect(applied.prompt.contains("\"look\""))
        let parser = try #require(applied.parser)
        let answer = streamed("<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"me\"}}\n</tool_call>", parser: parser)
        #expect(answer.calls.first?.name == "look")
        #expect(try JSONValue.parse(answer.calls.first?.arguments ?? "") == ["at": "me"])
        #expect(answer.reason == .toolCalls)
    }

    /// Counts what it is given to read.
    private final class CountingParser: AnswerParsing, Sendable {
        let bytes = Mutex(0)
        var marks: [String] { PlainToolCallParser().marks }

        func parse(_ text: String, isPartial: Bool) -> ParsedAnswer {
            bytes.withLock { $0 += text.utf8.count }
            return PlainToolCallParser().parse(text, isPartial: isPartial)
        }
    }

    @Test(
        "reading a long answer takes time that grows with its length, not with the square of it",
        arguments: [
            String(repeating: "Words and words, 1 < 2 and <b>bold</b>.\n\n", count: 400),
            "So.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": \"" + String(repeating: "if (a < b) { return; } ", count: 700)
                + "\"}}\n</tool_call>",
        ])
    func linear(text: String) throws {
        let parser = CountingParser()
        let answer = streamed(text, parser: parser)
        let whole = PlainToolCallParser().parse(text, isPartial: false)
        #expect(answer.text == whole.content)
        #expect(answer.calls == whole.calls)
        #expect(parser.bytes.withLock { $0 } < text.utf8.count * 50, "of \(text.utf8.count) bytes")
    }

    @Test("a forced call is constrained from the first token, also by a template that knows tools; it may think before it")
    func forced() throws {
        let template = try ChatTemplate(source: Self.hermes)
        var tool = Tool()
        tool.function.name = "look"
        tool.function.parameters = try JSONValue.parse(
            ##"{"type":"object","properties":{"at":{"$ref":"#/$defs/P"}},"required":["at"],"$defs":{"P":{"type":"string","pattern":"^a+$"}}}"##
        ).objectValue
        let messages: [JSONValue] = [["role": "user", "content": "Look!"]]
        for choice in [ToolChoice.required, .function("look"), .allowed(["look"], isRequired: true)] {
            let applied = try template.apply(.init(messages: messages, tools: [tool], toolChoice: choice))
            let grammar = try JSONValue.parse(try #require(applied.grammar).text)
            #expect(grammar["grammar_lazy"] == false)
            let rules = try #require(grammar["grammar"]?.stringValue).split(separator: "\n")
            // What may come before the call: nothing.
            let preambles = rules.filter { $0.hasPrefix("until-") && $0.hasSuffix("::= \"\"") }
            #expect(!preambles.isEmpty, "\(rules.joined(separator: "\n"))")
            #expect(applied.prompt.contains("$ref"), "the model is told of the tool in the client's words")
        }
        let auto = try template.apply(.init(messages: messages, tools: [tool]))
        #expect(try JSONValue.parse(try #require(auto.grammar).text)["grammar_lazy"] == true)
    }

    /// Opens a thought itself unless it is told not to.
    private static let thinking = """
        {%- for m in messages %}<|im_start|>{{ m.role }}
        {{ m.content }}<|im_end|>
        {% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
        {%- if enable_thinking is defined and enable_thinking is false %}
        <think>

        </think>

        {%- else %}
        <think>
        {%- endif %}{% endif %}
        """

    @Test("a form that is no JSON holds from the first token: no thought comes before it, and tools that may not be called leave it")
    func constrained() throws {
        let messages: [JSONValue] = [["role": "user", "content": "yes or no?"]]
        let form = ResponseFormat.constrained(AnswerConstraint(.choice(["yes", "no"]), field: "guided_choice"))
        var tool = Tool()
        tool.function.name = "look"
        for source in [Self.thinking, Self.hermes] {
            let template = try ChatTemplate(source: source)
            for tools in [[], [tool]] {
                let applied = try template.apply(.init(messages: messages, tools: tools, toolChoice: ToolChoice.none, format: form))
                let grammar = try JSONValue.parse(try #require(applied.grammar).text)
                #expect(grammar["grammar"] == #"root ::= "yes" | "no""# && grammar["grammar_lazy"] != true)
                #expect(!applied.prompt.hasSuffix("<think>"), "\(applied.prompt)")
            }
        }
        #expect(try ChatTemplate(source: Self.thinking).apply(.init(messages: messages)).prompt.hasSuffix("<think>"), "it thinks otherwise")
    }

    @Test("a conversation that the template refuses is the client's fault, in the template's words")
    func refusal() throws {
        let template = try ChatTemplate(source: "{{ raise_exception('roles must alternate') }}")
        let error = #expect(throws: APIError.self) { try template.apply(.init(messages: [["role": "user", "content": "x"]])) }
        #expect(error?.status == 400)
        #expect(error?.message.contains("roles must alternate") == true)
    }
}

extension Answers {
    init() {}
}
