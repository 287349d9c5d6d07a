import OmniAPI
import Testing

/// Replies as the wire carries them, ours and other servers'.
@Suite("Reply types")
struct ReplyTests {
    /// Decodes, and checks that no member of the text was passed over and that encoding gives all of it back.
    private func roundTrip<Reply: WireObject>(_: Reply.Type, _ text: String) throws -> Reply {
        let json = try JSONValue.parse(text)
        var ignored = IgnoredFields()
        let reply = try Reply(json: json, at: .root("reply"), ignored: &ignored)
        #expect(ignored.names.isEmpty)
        #expect(reply.json == json)
        return reply
    }

    @Test("a chat answer and its chunks")
    func chat() throws {
        let answer = try roundTrip(
            ChatCompletion.self,
            #"""
            {"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello",
            "refusal":null,"audio":{"id":"audio-1","data":"AAA=","expires_at":9,"transcript":"Hello"},"reasoning":null,"tool_calls":[{"id":"c","type":"function",
            "function":{"name":"f","arguments":"{}"}}]},"logprobs":{"content":[{"token":"H","logprob":-0.5,"bytes":[72],"top_logprobs":[]}]},
            "finish_reason":"stop","stop_reason":null,"audio_metadata":{"format":"wav","sample_rate_hz":24000,"frame_count":2,"channels":1}}],
            "usage":{"prompt_tokens":7,"total_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}
            """#)
        #expect(answer.text == "Hello" && answer.usage?.cachedTokens == 3)
        let chunk = try roundTrip(
            ChatCompletionChunk.self,
            #"""
            {"id":"c","object":"chat.completion.chunk","created":5,"model":"m","choices":[{"index":0,"delta":{"content":"Hel","tool_calls":[{"index":0,"function":
            {"arguments":"{\"a\""}}]},"logprobs":null,"finish_reason":null}],"modality":"text"}
            """#)
        #expect(chunk.text == "Hel")
    }

    @Test("pictures in a chat answer are parts")
    func drawnChat() throws {
        let answer = try ChatCompletion(
            json: try .parse(
                #"""
                {"choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="},
                "stage_durations":{"diffuse":1.5},"peak_memory_mb":123.5}]},"finish_reason":"stop","routed_experts":null}]}
                """#))
        #expect(answer.choices[0].message.pictures == ["data:image/png;base64,AA=="])
    }

    @Test("what another server leaves out, or sends as null, keeps its default")
    func tolerance() throws {
        let answer = try ChatCompletion(
            json: try .parse(#"{"model":null,"choices":[{"message":{"content":"x"},"finish_reason":"abort"}],"new":{"a":1}}"#))
        #expect(answer.text == "x" && answer.model == "" && answer.choices[0].finishReason == "abort" && answer.usage == nil)
        #expect(throws: APIError.self) { try ChatCompletion(json: ["choices": "none"]) }
    }

    @Test("vectors come as numbers and as base64 of the same floats")
    func embeddings() throws {
        let numbers = try EmbeddingReply(json: ["data": [["index": 0, "embedding": [1, -0.5]]]])
        let packed = try EmbeddingReply(json: ["data": [["index": 0, "embedding": "AACAPwAAAL8="]]])
        #expect(numbers.data[0].vector == [1, -0.5] && numbers.data == packed.data)
        #expect(throws: APIError.self) { try EmbeddingReply(json: ["data": [["embedding": "AAA="]]]) }
    }

    @Test("pictures, whole and streamed")
    func images() throws {
        let reply = try roundTrip(
            ImageReply.self,
            #"""
            {"created":5,"data":[{"b64_json":"iVBO","url":null,"revised_prompt":null}],"output_format":"png","size":"64x64",
            "metrics":{"stage_durations":{"diffuse":1.5},"peak_memory_mb":123.5}}
            """#)
        #expect(reply.data[0].bytes?.count == 3)
        let event = try roundTrip(
            ImageStreamEvent.self,
            #"""
            {"type":"image_edit.partial_image","b64_json":"iVBO","created_at":5,"size":"64x64","quality":"auto","background":"opaque","output_format":"png",
            "index":1,"partial_image_index":2}
            """#)
        #expect(event.isPreview && event.index == 1 && event.partialImageIndex == 2)
    }

    @Test("events of speech: sound, end, error, and a type that nobody knows")
    func speechEvents() throws {
        for event in [
            SpeechStreamEvent.delta(audio: "AAA=", format: .pcm), .done(SpeechTokenUsage(inputTokens: 3, outputTokens: 9, audioTokens: 1)),
        ] {
            #expect(try SpeechStreamEvent(json: event.json) == event)
        }
        let failure = try SpeechStreamEvent(json: SpeechStreamEvent.error(APIError(.unavailable, "Full."), partialAudio: true).json)
        guard case .error(let error, true) = failure else { Issue.record("not an error: \(String(describing: failure))"); return }
        #expect(error.status == 503 && error.message == "Full.")
        #expect(try SpeechStreamEvent(json: ["type": "speech.audio.word"]) == nil)
    }

    @Test("a schema requires what our server always sends")
    func schema() {
        let required = ChatCompletion.schema["required"]?.arrayValue?.compactMap(\.stringValue)
        #expect(required == ["id", "object", "created", "model", "choices", "usage"])
        #expect(ErrorDetail.schema["required"]?.arrayValue?.count == 4)
    }
}
