import Foundation
import OmniAPI
import Testing

@testable import OmniGatewayServer

/// A session, and what it said so far.
struct RealtimeScript {
    var state: RealtimeState
    /// Events without those of settings.
    private(set) var events: [JSONObject] = []
    private(set) var work: [RealtimeState.Action] = []
    var now = ContinuousClock.now

    init(_ change: (inout RealtimeSession) -> Void = { _ in }) {
        var session = RealtimeSession()
        change(&session)
        state = RealtimeState(session)
    }

    var types: [String] { events.map { $0["type"]?.stringValue ?? "" } }
    /// What is to be answered.
    var plans: [RealtimePlan] { work.compactMap { if case .answer(let plan) = $0 { plan } else { nil } } }
    var transcribing: [String] { work.compactMap { if case .transcribe(let item, _, _, _) = $0 { item } else { nil } } }
    var isStopped: Bool { work.contains { if case .stopAnswer = $0 { true } else { false } } }
    /// The last wait that was asked for, milliseconds.
    var wait: Int? { work.compactMap { action -> Int?? in if case .wait(let time) = action { time } else { nil } }.last ?? nil }

    mutating func `do`(_ actions: [RealtimeState.Action]) {
        for action in actions {
            if case .send(let event) = action { events.append(event) } else { work.append(action) }
        }
    }

    mutating func forget() { (events, work) = ([], []) }

    mutating func take(_ json: String) throws {
        let event = try #require(try JSONValue.parse(json).objectValue)
        self.do(try state.take(try RealtimeClientEvent(event) { "made" }, at: now))
    }

    mutating func chunk(_ json: String) throws {
        guard let id = state.answer?.id else { return }
        self.do(state.add(try ChatCompletionChunk(json: try JSONValue.parse(json)), to: id))
    }

    mutating func say(_ text: String) throws { try chunk(#"{"choices":[{"index":0,"delta":{"content":"\#(text)"}}]}"#) }

    /// A sentence in sound, that lasts so many milliseconds.
    mutating func speak(_ text: String, milliseconds: Int) throws {
        try say(text)
        let id = state.answer?.id ?? ""
        state.begin(sentence: text, of: id)
        self.do(state.add(sound: [UInt8](repeating: 1, count: milliseconds * 48), to: id, at: now))
    }

    mutating func finish(_ failure: APIError? = nil) {
        self.do(state.finish(state.answer?.id ?? "", failure: failure, at: now))
    }

    /// The last `response.done`.
    var done: JSONValue? { events.last { $0["type"] == "response.done" }?["response"] }
}

@Suite("The state of a realtime session")
struct RealtimeStateTests {
    private static let user =
        #"{"type":"conversation.item.create","item":{"id":"u1","type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}}"#

    @Test("a text answer is told from its beginning to its end, and becomes part of the conversation")
    func text() throws {
        var script = RealtimeScript { $0.modalities = [.text] }
        try script.take(Self.user)
        try script.take(#"{"type":"response.create"}"#)
        #expect(script.plans.count == 1 && script.state.chat(script.plans[0])?.messages.map { $0.content?.text } == ["Hi"])
        try script.say("Hel")
        try script.chunk(
            #"{"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#)
        script.finish()
        #expect(
            script.types == [
                "conversation.item.added", "conversation.item.done", "response.created", "response.output_item.added",
                "conversation.item.added",
                "response.content_part.added", "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
                "response.content_part.done", "conversation.item.done", "response.output_item.done", "response.done",
            ])
        #expect(script.done?["status"] == "completed" && script.done?["usage"]?["total_tokens"] == 7)
        #expect(script.done?["output"]?[0]?["content"]?[0]?["text"] == "Hello" && script.done?["output"]?[0]?["status"] == "completed")
        #expect(script.state.conversation.items.map(\.text) == ["Hi", "Hello"])
        #expect(script.events[4]["previous_item_id"] == "u1")
    }

    @Test("a tool's call is an item, and its result goes back to the model")
    func tools() throws {
        var script = RealtimeScript {
            $0.tools = [ResponseTool()]
            $0.tools[0].name = "look"
            $0.instructions = "Be brief."
        }
        try script.take(Self.user)
        try script.take(#"{"type":"response.create"}"#)
        for call in [
            #"{"index":0,"id":"c1","function":{"name":"look","arguments":"{"}}"#, #"{"index":0,"function":{"arguments":"}"}}"#,
            #"{"index":1,"id":"c2","function":{"name":"look","arguments":"{}"}}"#,
        ] { try script.chunk(#"{"choices":[{"index":0,"delta":{"tool_calls":[\#(call)]}}]}"#) }
        script.finish()
        let done = script.events.filter { $0["type"] == "response.function_call_arguments.done" }
        #expect(done.map { $0["arguments"] } == ["{}", "{}"] && done.map { $0["output_index"] } == [0, 1])
        #expect(script.done?["output"]?.arrayValue?.map { $0["call_id"] } == ["c1", "c2"])
        try script.take(#"{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"c1","output":"sun"}}"#)
        try script.take(#"{"type":"response.create"}"#)
        let messages = try #require(script.state.chat(script.plans[1])?.messages)
        #expect(messages.map(\.role) == [.system, .user, .assistant, .tool])
        #expect(messages[2].toolCalls?.map(\.id) == ["c1", "c2"] && messages[3].content == .text("sun"))
    }

    @Test("what was not heard of a spoken answer is cut from the conversation")
    func truncation() throws {
        var script = RealtimeScript()
        try script.take(Self.user)
        try script.take(#"{"type":"response.create"}"#)
        try script.speak("One two three four. ", milliseconds: 1000)
        try script.speak("Five six.", milliseconds: 500)
        script.finish()
        let id = try #require(script.state.conversation.lastID)
        #expect(script.state.conversation.items[1].text == "One two three four. Five six.")
        script.forget()
        try script.take(#"{"type":"conversation.item.truncate","item_id":"\#(id)","content_index":0,"audio_end_ms":500}"#)
        #expect(script.types == ["conversation.item.truncated"] && script.state.conversation.items[1].text == "One two")
        #expect(throws: APIError.self) {
            try script.take(#"{"type":"conversation.item.truncate","item_id":"\#(id)","content_index":0,"audio_end_ms":1501}"#)
        }
        #expect(throws: APIError.self) {
            try script.take(#"{"type":"conversation.item.truncate","item_id":"u1","content_index":0,"audio_end_ms":0}"#)
        }
    }

    @Test("a cancelled answer ends at once, and what comes for it later is nobody's")
    func cancellation() throws {
        var script = RealtimeScript()
        try script.take(#"{"type":"response.create"}"#)
        let id = script.plans[0].id
        try script.speak("Well. ", milliseconds: 100)
        try script.take(#"{"type":"response.cancel"}"#)
        #expect(
            script.isStopped && script.done?["status"] == "cancelled" && script.done?["status_details"]?["reason"] == "client_cancelled")
        #expect(script.done?["output"]?[0]?["status"] == "incomplete")
        script.forget()
        script.do(script.state.add(sound: [1, 2], to: id, at: script.now))
        script.do(script.state.finish(id, at: script.now))
        #expect(script.events.isEmpty)
        #expect(throws: APIError.self) { try script.take(#"{"type":"response.cancel"}"#) }
    }

    @Test("one answer at a time, and a failure says why")
    func failure() throws {
        var script = RealtimeScript()
        try script.take(#"{"type":"response.create"}"#)
        #expect(throws: APIError.self) { try script.take(#"{"type":"response.create"}"#) }
        script.finish(APIError(.internalError, "The worker died."))
        #expect(script.done?["status"] == "failed" && script.done?["status_details"]?["error"]?["message"] == "The worker died.")
        try script.take(#"{"type":"response.create"}"#)
        #expect(script.plans.count == 2, "the next answer works")
    }

    @Test("an answer beside the conversation leaves it as it is")
    func outOfBand() throws {
        var script = RealtimeScript { $0.modalities = [.text] }
        try script.take(Self.user)
        let asked =
            #"{"type":"response.create","response":{"conversation":"none","instructions":"Sum up.","input":[{"type":"item_reference","id":"u1"}],"metadata":{"a":"b"}}}"#
        try script.take(asked)
        #expect(script.state.chat(script.plans[0])?.messages.map { $0.content?.text } == ["Sum up.", "Hi"])
        try script.say("Greeting.")
        script.finish()
        #expect(
            script.state.conversation.items.count == 1 && script.done?["conversation_id"] == .null && script.done?["metadata"]?["a"] == "b")
        #expect(throws: APIError.self) {
            try script.take(#"{"type":"response.create","response":{"input":[{"type":"item_reference","id":"nobody"}]}}"#)
        }
    }

    @Test("items are put where they are wanted, told again and deleted")
    func items() throws {
        var script = RealtimeScript()
        try script.take(Self.user)
        try script.take(
            #"{"type":"conversation.item.create","previous_item_id":"root","item":{"id":"s","type":"message","role":"system","content":[{"type":"input_text","text":"Be kind."}]}}"#
        )
        #expect(script.state.conversation.items.map(\.id) == ["s", "u1"])
        try script.take(#"{"type":"conversation.item.retrieve","item_id":"u1"}"#)
        #expect(script.events.last?["item"]?["content"]?[0]?["text"] == "Hi")
        try script.take(#"{"type":"conversation.item.delete","item_id":"u1"}"#)
        #expect(script.types.last == "conversation.item.deleted" && script.state.conversation.items.map(\.id) == ["s"])
        for wrong in [
            #"{"type":"conversation.item.delete","item_id":"u1"}"#,
            #"{"type":"conversation.item.create","item":{"id":"s","type":"message","role":"user","content":[]}}"#,
            #"{"type":"conversation.item.create","previous_item_id":"x","item":{"type":"message","role":"user","content":[]}}"#,
            #"{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_file"}]}}"#,
            #"{"type":"conversation.item.create","item":{"type":"message","role":"tool","content":[]}}"#, #"{"type":"dance"}"#, #"{}"#,
            #"{"type":"conversation.item.truncate","item_id":"s"}"#, #"{"type":"input_audio_buffer.commit"}"#,
        ] { #expect(throws: APIError.self) { try script.take(wrong) } }
    }
}
