import OmniAPI
import Testing

@Suite("Speech on the wire")
struct SpeechTests {
    func request(_ text: String) throws -> SpeechRequest { try SpeechRequest(json: JSONValue.parse(text)) }

    @Test("only the text is needed")
    func defaults() throws {
        let request = try request(#"{"input":"Hi"}"#)
        #expect(
            request.input == "Hi" && request.responseFormat == .wav && request.speed == 1 && !request.isStreamed
                && request.wantedVoice == nil)
    }

    @Test("all fields, with their aliases")
    func fields() throws {
        let all = try request(
            """
            {"input":"x","model":"m","speaker":{"id":"Ryan"},"instructions":"slow","response_format":"aac","sample_rate":24000,"speed":null,
             "stream":true,"stream_format":"audio","task_type":"Base","language":"English","ref_audio":["a","b"],"ref_text":"t","ref_audio_2":"c",
             "ambient_sound":"rain","duration_seconds":2.5,"x_vector_only_mode":true,"max_new_tokens":10,"seed":-5,
             "initial_codec_chunk_frames":0,"non_streaming_mode":false,"extra_params":{"top_k":5}}
            """)
        #expect(
            all.voice == "Ryan" && all.speed == 1 && all.responseFormat == .aac && all.sampleRate == 24_000 && all.samples == ["a", "b"])
        #expect(all.isStreamed && !all.repliesWithEvents && all.taskType == .base && all.seed == -5 && all.extraParams?["top_k"] == 5)
        #expect(try request(#"{"input":"x","stream":true}"#).repliesWithEvents)
        #expect(try request(#"{"input":"x","references":[{"audio_path":"p","text":"t"}]}"#).samples == ["p"])
        #expect(try request(#"{"input":"x","speaker_embedding":[1,2]}"#).speakerEmbedding == [[1, 2]])
        #expect(try request(#"{"input":"x","speaker_embedding":[[1],[2]]}"#).speakerEmbedding == [[1], [2]])
        #expect(try request(#"{"input":"x","ref_audio":null}"#).samples.isEmpty)
    }

    @Test(
        "what is out of range is named",
        arguments: [
            (#"{}"#, "body.input"), (#"{"input":null}"#, "body.input"), (#"{"input":["a"]}"#, "body.input"),
            (#"{"input":"x","voice":{}}"#, "body.voice.id"),
            (#"{"input":"x","voice":1}"#, "body.voice"), (#"{"input":"x","response_format":"ogg"}"#, "body.response_format"),
            (#"{"input":"x","speed":0.2}"#, "body.speed"),
            (#"{"input":"x","speed":4.1}"#, "body.speed"), (#"{"input":"x","sample_rate":0}"#, "body.sample_rate"),
            (#"{"input":"x","stream_format":"x"}"#, "body.stream_format"), (#"{"input":"x","ref_audio":[]}"#, "body.ref_audio"),
            (#"{"input":"x","references":[]}"#, "body.references"), (#"{"input":"x","duration_seconds":-1}"#, "body.duration_seconds"),
            (#"{"input":"x","max_new_tokens":0}"#, "body.max_new_tokens"),
            (#"{"input":"x","word_timestamps":true,"stream":true}"#, "word_timestamps"),
            (#"{"input":"x","references":[{"audio_path":"p"}],"ref_text":"t"}"#, "body.references"),
            (#"{"input":"x","speaker_embedding":[1],"ref_audio":"a"}"#, "body"),
            (#"{"input":"x","speaker_embedding":[]}"#, "body.speaker_embedding"),
        ])
    func refusals(text: String, param: String) throws {
        #expect { try request(text) } throws: { ($0 as? APIError)?.param == param && ($0 as? APIError)?.status == 400 }
    }

    @Test("instructions have a limit")
    func instructions() throws {
        #expect(throws: APIError.self) { try request(#"{"input":"x","instructions":"\#(String(repeating: "a", count: 501))"}"#) }
    }

    @Test("a request survives the way to a backend")
    func roundTrip() throws {
        var original = try request(#"{"input":"x","voice":"v","speed":1.5,"ref_audio":"a","seed":3}"#)
        original.responseFormat = .opus
        let back = try SpeechRequest(json: original.json)
        #expect(back.json == original.json && back.refAudio == ["a"] && back.responseFormat == .opus)
    }

    @Test("a batch fills its defaults in, and names faults by their place")
    func batch() throws {
        let batch = try SpeechBatchRequest(
            json: JSONValue.parse(
                #"{"items":[{"input":"a","speed":2},{"input":"b","speaker":"x"}],"voice":"v","response_format":"mp3","model":"m"}"#))
        #expect(batch.requests.map(\.voice) == ["v", "x"] && batch.requests.map(\.speed) == [2, 1])
        #expect(batch.requests.allSatisfy { $0.responseFormat == .mp3 && $0.model == "m" })
        for (text, param) in [
            (#"{"items":[]}"#, "body.items"), (#"{"items":[{"input":"a","speed":9}]}"#, "body.items.0.speed"),
            (#"{"items":[{}]}"#, "body.items.0.input"),
            (#"{"items":[\#((0..<33).map { _ in #"{"input":"a"}"# }.joined(separator: ","))]}"#, "body.items"),
        ] {
            #expect { try SpeechBatchRequest(json: JSONValue.parse(text)) } throws: { ($0 as? APIError)?.param == param }
        }
    }

    @Test("the reply to a batch counts its results")
    func batchReply() throws {
        var good = SpeechBatchReply.Result(), bad = SpeechBatchReply.Result(), reply = SpeechBatchReply()
        (good.audioData, good.mediaType, good.usage) = ("QQ==", "audio/wav", SpeechTokenUsage(inputTokens: 1, outputTokens: 42))
        (bad.index, bad.status, bad.error) = (1, .error, "Input text cannot be empty")
        (reply.id, reply.results) = ("speech-batch-1", [good, bad])
        #expect(
            reply.json.jsonText == """
                {"id":"speech-batch-1","results":[{"index":0,"status":"success","audio_data":"QQ==","media_type":"audio/wav","usage":{"input_tokens":1,\
                "output_tokens":42,"total_tokens":43,"input_token_details":{"text_tokens":1,"audio_tokens":0}}},{"index":1,"status":"error",\
                "error":"Input text cannot be empty"}],"total":2,"succeeded":1,"failed":1}
                """)
    }

    @Test("events look as the peer's do")
    func events() {
        #expect(
            SpeechStreamEvent.delta(audio: "QQ==", format: .pcm).json.jsonText
                == #"{"type":"speech.audio.delta","audio":"QQ==","response_format":"pcm"}"#)
        #expect(
            SpeechStreamEvent.done(SpeechTokenUsage(inputTokens: 1, outputTokens: 42)).json.jsonText == """
                {"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":42,"total_tokens":43,\
                "input_token_details":{"text_tokens":1,"audio_tokens":0}}}
                """)
        #expect(
            SpeechStreamEvent.error(APIError(.internalError, "Broken."), partialAudio: true).json.jsonText == """
                {"type":"speech.audio.error","error":{"message":"Broken.","type":"server_error","param":null,"code":500,"partial_audio":true,"action":"discard"}}
                """)
    }

    @Test("lists of voices are sorted and in lower case")
    func voices() {
        var mine = UploadedVoice()
        (mine.name, mine.consent, mine.createdAt, mine.fileSize, mine.mimeType, mine.embeddingSource) = (
            "Zoe", "c1", 1_700_000_000, 10, "audio/wav", .audio
        )
        let list = VoiceList(builtIn: ["Ryan", "Joe"], uploaded: [mine])
        #expect(list.voices == ["default", "joe", "ryan", "zoe"])
        #expect(
            list.json["uploaded_voices"]?[0]?.jsonText == """
                {"name":"Zoe","consent":"c1","created_at":1700000000,"file_size":10,"mime_type":"audio/wav","embedding_source":"audio","embedding_dim":null}
                """)
        #expect(
            VoiceUploadReply(mine).json.jsonText == """
                {"success":true,"voice":{"name":"Zoe","consent":"c1","created_at":1700000000,"file_size":10,"mime_type":"audio/wav"}}
                """)
        #expect(VoiceDeletionReply(deleted: "ZOE").json.jsonText == #"{"success":true,"message":"Voice 'ZOE' deleted successfully"}"#)
    }

    @Test("names that look like paths are refused", arguments: ["", " ", ".", "..", "a/b", "a\\b", "a\0b"])
    func names(name: String) {
        let form: JSONValue = ["name": .string(name), "consent": "yes"]
        #expect { try VoiceUpload(json: form) } throws: { ($0 as? APIError)?.status == 400 }
    }
}
