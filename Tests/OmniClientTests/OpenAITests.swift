import Foundation
import Synchronization
import Testing

@testable import OmniClient

/// What OpenAI's server takes, after its Python client 2.x: the members of each body, of which it refuses any other.
private let known: [String: Set<String>] = [
    "/v1/chat/completions": [
        "messages", "model", "audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "modalities",
        "n",
        "presence_penalty", "reasoning_effort", "response_format", "seed", "stop", "stream", "stream_options", "temperature", "tool_choice",
        "tools",
        "top_logprobs", "top_p", "user",
    ],
    "/v1/completions": [
        "model", "prompt", "echo", "logprobs", "max_tokens", "n", "seed", "stop", "stream", "stream_options", "temperature", "top_p",
    ],
    "/v1/embeddings": ["input", "model", "dimensions", "encoding_format", "user"],
    // `response_format` is for dall-e alone.
    "/v1/images/generations": [
        "prompt", "model", "n", "size", "output_format", "output_compression", "partial_images", "stream", "quality", "background",
    ],
    "/v1/images/edits": [
        "image", "image[]", "mask", "prompt", "model", "n", "size", "output_format", "partial_images", "stream", "quality",
    ],
    "/v1/audio/speech": ["input", "model", "voice", "instructions", "response_format", "speed", "stream_format"],
    "/v1/audio/transcriptions": ["file", "model", "language", "prompt", "response_format"],
    "/v1/videos": ["prompt", "model", "seconds", "size", "input_reference"],
]

/// Against a server as strict as OpenAI's, with replies in its shapes.
@Suite("OpenAI's API", .timeLimit(.minutes(10)))
struct OpenAITests {
    private func playing(_ body: (OmniClient, StandIn) async throws -> Void) async throws {
        let recording = try Recording("openai")
        try await StandIn.serving { request in
            Self.refusal(request) ?? recording.answer(request)
        } _: { server in
            var configuration = OmniClient.Configuration(baseURL: server.baseURL + "/v1", apiKey: "sk-test", environment: [:])
            configuration.retries = .never
            try await body(OmniClient(configuration), server)
        }
    }

    private static func refusal(_ request: StandIn.Request) -> StandIn.Answer? {
        func refused(_ status: Int, _ message: String, _ code: String, param: String = "null") -> StandIn.Answer {
            .json(
                #"{"error":{"message":"\#(message)","type":"invalid_request_error","param":\#(param),"code":"\#(code)"}}"#, status: status)
        }
        guard request.header("Authorization") == "Bearer sk-test" else {
            return refused(401, "Incorrect API key provided.", "invalid_api_key")
        }
        guard request.method == "POST", let known = known[request.uri] else { return nil }
        let names =
            request.header("Content-Type")?.hasPrefix("multipart/form-data") == true
            ? request.text.matches(of: #/form-data; name="([^"]+)"/#).map { String($0.1) }
            : (try? JSONValue.parse(request.body))?.objectValue?.members.map(\.key) ?? []
        return names.first { !known.contains($0) }.map {
            refused(400, "Unknown parameter: '\($0)'.", "unknown_parameter", param: "\"\($0)\"")
        }
    }

    @Test("a key that is missing or wrong, and a member that it does not know")
    func refusals() async throws {
        try await playing { client, server in
            let stranger = OmniClient(OmniClient.Configuration(baseURL: server.baseURL, environment: [:]))
            let error = await #expect(throws: OmniError.self) { _ = try await stranger.models.list() }
            #expect(
                error?.status == 401 && error?.code == "invalid_api_key" && error?.type == "invalid_request_error"
                    && error?.isTransient == false)
            let unknown = await #expect(throws: OmniError.self) {
                _ = try await client.images.generate(
                    ImageGenerationRequest("x"), CallOptions(extraFields: JSONObject([("num_inference_steps", 4)])))
            }
            #expect(unknown?.param == "num_inference_steps" && unknown?.code == "unknown_parameter")
            let models = try await client.models.list().map(\.id)
            #expect(models == ["gpt-5.1", "gpt-image-1"])
        }
    }

    @Test("chat: whole, spoken, streamed, with tools, refused by the model")
    func chat() async throws {
        try await playing { client, _ in
            var request = ChatCompletionRequest(model: "gpt-5.1", [.system("Be terse."), .user("Name a river.")], maxTokens: 20)
            let whole = try await client.chat.create(request)
            #expect(
                whole.text == "Aare." && whole.usage?.completionTokens == 2 && whole.choices[0].logprobs?.content?.first?.logprob == -0.25)
            var text = "", usage: Usage?
            for try await chunk in try await client.chat.stream(request) {
                text += chunk.text
                usage = chunk.usage ?? usage
            }
            #expect(text == "Aare, Rhône." && usage?.completionTokens == 7)
            request.modalities = ["text", "audio"]
            let spoken = try await client.chat.create(
                request, CallOptions(extraFields: JSONObject([("audio", ["voice": "alloy", "format": "wav"])])))
            #expect(spoken.choices[0].message.audio?.transcript == "Aare." && spoken.text.isEmpty)
            request = ChatCompletionRequest(model: "gpt-5.1", [.user("secret")])
            var refusal = ""
            for try await chunk in try await client.chat.stream(request) { refusal += chunk.choices.first?.delta.refusal ?? "" }
            #expect(refusal == "I can't say that.")
        }
    }

    @Test("tools, whole and streamed")
    func tools() async throws {
        try await playing { client, _ in
            var tool = Tool()
            tool.function.name = "weather"
            var request = ChatCompletionRequest(model: "gpt-5.1", [.user("Weather in Bern?")])
            request.tools = [tool]
            let call = try await client.chat.create(request).choices[0].message.toolCalls?.first
            request.messages = [.user("Weather in Rome?")]
            var name: String?, arguments = "", finish: String?
            for try await choice in try await client.chat.stream(request).compactMap(\.choices.first) {
                name = choice.delta.toolCalls?.first?.function?.name ?? name
                arguments += choice.delta.toolCalls?.first?.function?.arguments ?? ""
                finish = choice.finishReason ?? finish
            }
            #expect(call?.function.name == "weather" && name == "weather" && finish == "tool_calls")
            #expect(arguments == #"{"city":"Rome"}"# && call?.function.arguments == #"{"city":"Bern"}"#)
        }
    }

    @Test("text that goes on, vectors")
    func text() async throws {
        try await playing { client, _ in
            #expect(try await client.completions.create(CompletionRequest(model: "gpt-3.5-turbo-instruct", "The")).text == " Rhine")
            let vectors = try await client.embeddings.create(EmbeddingRequest(model: "text-embedding-3-small", ["a"])).data.map(\.vector)
            #expect(vectors == [[1, -2]])
        }
    }

    @Test("pictures as bytes and as addresses, streamed, and edited from several")
    func pictures() async throws {
        try await playing { client, server in
            let request = ImageGenerationRequest(model: "gpt-image-1", "a cat", size: ImageSize(width: 1024, height: 1024))
            let picture = try #require(try await client.images.generate(request).data.first?.bytes)
            #expect(picture.starts(with: [0x89, 0x50]))
            #expect(
                try await client.images.generate(ImageGenerationRequest(model: "dall-e-3", "a cat")).data.first?.url
                    == "https://img.invalid/1.png")
            var kinds: [String] = []
            for try await update in try await client.images.streamGeneration(request) {
                switch update {
                case .preview(let event): kinds.append("preview \(event.partialImageIndex ?? -1)")
                case .completed(let event): kinds.append("completed \(event.bytes == picture)")
                case .progress, .thought: kinds.append("\(update)")
                }
            }
            #expect(kinds == ["preview 0", "completed true"])
            var inputs = EditInputs(.data(picture, name: "a.png"), mask: .data(picture, name: "m.png"))
            let edit = ImageEditRequest(model: "gpt-image-1", "bluer")
            #expect(try await client.images.edit(edit, inputs).data.first?.bytes == picture)
            inputs.pictures.append(.data(picture, name: "b.png"))
            _ = try await client.images.edit(edit, inputs)
            // One picture has the plain name; several have OpenAI's, which swift-omni and vLLM-Omni know too.
            let names = server.seen.filter { $0.uri == "/v1/images/edits" }.map {
                $0.text.matches(of: #/name="(image[^"]*)"/#).map { String($0.1) }
            }
            #expect(names == [["image"], ["image[]", "image[]"]])
        }
    }

    @Test("speech: a file, raw sound, events without names; and words from sound")
    func speech() async throws {
        try await playing { client, _ in
            let request = SpeechRequest(model: "gpt-4o-mini-tts", "Hello there.", voice: "alloy")
            #expect(try await client.speech.create(request).collect().starts(with: Array("RIFF".utf8)))
            #expect(try await client.speech.stream(request).collect().count == 12)
            var sound = Data(), counts: SpeechTokenUsage?
            for try await event in try await client.speech.events(request) {
                switch event {
                case .delta(let audio, _): sound += Data(base64Encoded: audio) ?? Data()
                case .done(let usage): counts = usage
                case .error: Issue.record("an error event was not thrown")
                }
            }
            #expect(Array(sound) == [0, 1, 2, 3, 4, 5] && counts?.outputTokens == 30)
            #expect(try await client.transcriptions.create(.data(sound, name: "a.wav"), model: "gpt-4o-transcribe") == "Hello there.")
        }
    }

    @Test("a video: created, looked at until it is there, fetched, deleted; one that failed")
    func videos() async throws {
        try await playing { client, _ in
            var request = VideoGenerationRequest(model: "sora-2", "a boat")
            request.seconds = 4
            request.size = ImageSize(width: 720, height: 1280)
            let seen = Progress()
            let job = try await client.videos.createAndPoll(
                request, inputReference: .data(Data([1]), name: "a.png"), pause: .milliseconds(1)
            ) { seen.note($0) }
            #expect(seen.statuses == [.queued, .inProgress, .completed] && job.seconds == "4" && job.size == "720x1280")
            #expect(try await client.videos.content(job.id).collect().count == 8)
            #expect(try await client.videos.delete(job.id).isDeleted)
            let failed = try await client.videos.retrieve("video_68d8")
            let error = await #expect(throws: OmniError.self) { _ = try await client.videos.wait(for: failed) }
            #expect(error?.kind == .failed && error?.message == "Your request was blocked.")
        }
    }
}
