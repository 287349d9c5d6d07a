import OmniAPI
import Testing

@Suite("Speech over a WebSocket, on the wire")
struct SpeechSessionTests {
    @Test("messages of clients")
    func messages() throws {
        guard
            case .config(let config) = try SpeechSessionMessage(
                frame:
                    #"{"type":"session.config","speaker":"joe","response_format":"pcm","stream_audio":true,"speed":2,"split_granularity":"clause"}"#
            )
        else { Issue.record("no config"); return }
        #expect(config.request.voice == "joe" && config.streamAudio && config.splitGranularity == .clause && config.request.speed == 2)
        guard case .text("Hi") = try SpeechSessionMessage(frame: #"{"type":"input.text","text":"Hi"}"#) else {
            Issue.record("no text"); return
        }
        guard case .done = try SpeechSessionMessage(frame: #"{"type":"input.done"}"#) else { Issue.record("no done"); return }
        guard case .close = try SpeechSessionMessage(frame: #"{"type":"session.close"}"#) else { Issue.record("no close"); return }
    }

    @Test(
        "wrong ones say why",
        arguments: [
            ("{", "Invalid JSON"), ("[]", "Messages must be JSON objects"), ("{}", "Unknown message type: none"),
            (#"{"type":"x"}"#, #"Unknown message type: "x""#),
            (#"{"type":"input.text","text":1}"#, "input.text must have a string 'text'"),
            (#"{"type":"input.text","text":"\#(String(repeating: "a", count: 131_072))"}"#, "input.text message too large"),
            (#"{"type":"session.config","speed":9}"#, "speed: must be from 0.25 to 4.0, not 9.0."),
            (#"{"type":"session.config","stream_audio":true}"#, "stream_audio: needs `response_format: \"pcm\"`, not wav."),
        ])
    func faults(frame: String, message: String) {
        #expect { try SpeechSessionMessage(frame: frame) } throws: { error in
            (error as? APIError)?.message.hasSuffix(message) == true
        }
    }

    @Test("messages of the server")
    func events() {
        #expect(
            SpeechSessionEvent.audioStart(utterance: 0, sentence: 1, text: "Hi.", format: .pcm, sampleRate: 22_050).json.jsonText == """
                {"type":"audio.start","utterance_index":0,"sentence_index":1,"sentence_text":"Hi.","format":"pcm","sample_rate":22050}
                """)
        #expect(
            SpeechSessionEvent.audioDone(utterance: 0, sentence: 1, totalBytes: 9, failed: false).json.jsonText == """
                {"type":"audio.done","utterance_index":0,"sentence_index":1,"total_bytes":9,"error":false}
                """)
        #expect(
            SpeechSessionEvent.sessionDone(utterance: 2, totalSentences: 3).json.jsonText == """
                {"type":"session.done","utterance_index":2,"total_sentences":3}
                """)
        #expect(
            SpeechSessionEvent.error("No", partialAudio: true).json.jsonText
                == #"{"type":"error","message":"No","partial_audio":true,"action":"discard"}"#)
    }
}
