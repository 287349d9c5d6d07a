import OmniAPI
import Testing

@Suite struct TranscriptionTests {
    private static let faults: [(json: String, param: String)] = [
        (#"{"temperature": "1.5"}"#, "body.temperature"), (#"{"response_format": "mp3"}"#, "body.response_format"),
        (#"{"timestamp_granularities": ["words"]}"#, "body.timestamp_granularities.0"), (#"{"include": ["tokens"]}"#, "body.include.0"),
        (#"{"chunking_strategy": "never"}"#, "body.chunking_strategy"), (#"{"to_language": "de"}"#, "body.to_language"),
        (#"{"chunking_strategy": {"type": "server_vad", "threshold": "2"}}"#, "body.chunking_strategy.threshold"),
        (#"{"stream": "maybe"}"#, "body.stream"), (#"{"stream": "true", "response_format": "srt"}"#, "body.response_format"),
    ]

    @Test("what is out of range is named", arguments: faults) func ranges(json: String, param: String) throws {
        let request = try JSONValue.parse(json)
        let error = #expect(throws: APIError.self) { try TranscriptionRequest(json: request) }
        #expect(error?.param == param && error?.status == 400)
    }

    @Test func formsAsTheOfficialClientSendsThem() throws {
        let request = try TranscriptionRequest(json: [
            "model": "whisper-base", "response_format": "verbose_json", "timestamp_granularities": ["word", "segment"],
            "temperature": "0.2", "stream": "true",
            "chunking_strategy": ["type": "server_vad", "silence_duration_ms": "300"],
        ])
        #expect(
            request.timesWords && request.timesSegments && request.temperature == 0.2 && request.stream && request.chunking?.silence == 300)
        #expect(
            try TranscriptionRequest(json: ["chunking_strategy": "{\"type\":\"server_vad\",\"threshold\":0.4}"]).chunking?.threshold == 0.4)
        #expect(try TranscriptionRequest(json: ["chunking_strategy": "auto"]).chunking == TranscriptionRequest.VoiceActivity())
    }

    @Test func whatHasNoEffectIsSaid() throws {
        var ignored = IgnoredFields()
        _ = try TranscriptionRequest(
            json: ["timestamp_granularities": ["word"], "include": ["logprobs"], "response_format": "text", "top_k": "3"], ignored: &ignored
        )
        #expect(ignored.names == ["top_k", "timestamp_granularities", "include"])
    }

    @Test func aRequestSurvivesTheWire() throws {
        var request = TranscriptionRequest()
        (request.model, request.format, request.granularities) = ("a", .verboseJSON, [.word])
        (request.stream, request.temperature, request.chunking) = (true, 0.4, .init())
        #expect(try TranscriptionRequest(json: request.json) == request)
        #expect(TranscriptionRequest().json == [:])
    }

    @Test func eventsSurviveTheWire() throws {
        var segment = TranscriptionStreamEvent.Segment()
        (segment.id, segment.start, segment.end, segment.text) = ("seg_0", 0.5, 2, " Hello.")
        var done = TranscriptionStreamEvent.Done()
        done.text = "Hello."
        done.usage = TranscriptionUsage(audioTokens: 100, textTokens: 2, outputTokens: 5)
        var logprob = TranscriptionLogprob()
        (logprob.token, logprob.bytes, logprob.logprob) = ("Hi", [72, 105], -0.25)
        for event in [
            TranscriptionStreamEvent.delta("Hel", logprobs: nil), .delta("Hi", logprobs: [logprob]), .segment(segment), .done(done),
        ] {
            #expect(event.json["type"]?.stringValue == event.name)
            #expect(try TranscriptionStreamEvent(json: JSONValue.parse(event.json.jsonText)) == event)
        }
        #expect(try TranscriptionStreamEvent(json: ["type": "transcript.text.other"]) == nil)
        #expect(
            done.usage?.json == [
                "type": "tokens", "input_tokens": 102, "output_tokens": 5, "total_tokens": 107,
                "input_token_details": ["audio_tokens": 100, "text_tokens": 2],
            ])
        #expect(TranscriptionUsage(seconds: 2.5).json == ["type": "duration", "seconds": 2.5])
    }
}

@Suite struct SubtitleTests {
    private static let cues = [
        Subtitles.Cue(start: 0, end: 1.5, text: " Hello --> there."), .init(start: 1.5, end: 2, text: " \n "),
        .init(start: 3725.0004, end: 3724, text: " A < B & C\n\n D"),
    ]

    @Test func subRip() {
        #expect(
            Subtitles.srt(Self.cues)
                == "1\n00:00:00,000 --> 00:00:01,500\nHello -> there.\n\n2\n01:02:05,000 --> 01:02:05,000\nA < B & C\nD\n")
    }

    @Test func webVTT() {
        #expect(
            Subtitles.vtt(Self.cues)
                == "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello --&gt; there.\n\n01:02:05.000 --> 01:02:05.000\nA &lt; B &amp; C\nD\n")
        #expect(Subtitles.vtt([]) == "WEBVTT\n" && Subtitles.srt([]).isEmpty)
    }
}
