import NIOCore
import OmniAPI
import OmniHTTP
import Testing

@testable import OmniRequests

@Suite struct TranscriptionFormTests {
    private func part(_ name: String, _ text: String, file: String? = nil) -> FormPart {
        FormPart(name: name, fileName: file, body: ByteBuffer(string: text))
    }

    @Test func bracketsMakeListsAndObjects() throws {
        let form = Form(parts: [
            part("file", "RIFF", file: "a.wav"), part("model", "x"), part("timestamp_granularities[]", "word"),
            part("timestamp_granularities[]", "segment"),
            part("include", "logprobs"), part("chunking_strategy[type]", "server_vad"), part("chunking_strategy[threshold]", "0.3"),
            part("language", ""),
        ])
        #expect(
            try form.transcriptionBody().json == [
                "model": "x", "timestamp_granularities": ["word", "segment"], "include": ["logprobs"],
                "chunking_strategy": ["type": "server_vad", "threshold": "0.3"],
            ])
        #expect(try form.sound() == ByteBuffer(string: "RIFF"))
    }

    private func fault(_ parts: FormPart...) -> APIError? { #expect(throws: APIError.self) { try Form(parts: parts).sound() } }

    @Test func aFormWithoutASoundSaysSo() {
        let one = part("file", "a", file: "a.wav")
        for (error, message) in [
            (fault(), "is required"), (fault(part("file", "abc")), "must be a file"), (fault(part("file", "", file: "a.wav")), "is empty"),
            (fault(one, one), "2 times"),
        ] { #expect(error?.param == "body.file" && error?.message.contains(message) == true) }
    }
}
