import Foundation
import Testing

@testable import OmniClient

private let liveServerURL = ProcessInfo.processInfo.environment["OMNI_TEST_URL"]

private let servesVideo = ProcessInfo.processInfo.environment["OMNI_TEST_VIDEO"] == "1"

/// The suite against a real server, whose URL is in `OMNI_TEST_URL`. Tests/Contract/test_sdk.py starts one with a text, an image
/// and a speech model, and runs this.
@Suite("Live server", .serialized, .enabled(if: liveServerURL != nil), .timeLimit(.minutes(10)))
struct LiveServer {
    private let client = OmniClient(baseURL: liveServerURL)

    private func model(_ kind: String) async throws -> String {
        try #require(try await client.models.list().first { $0.kind == kind }?.id, "the server has no \(kind) model")
    }

    private func checks(_ kind: String) async throws -> SharedChecks { SharedChecks(client: client, model: try await model(kind)) }

    @Test("health, version, models") func health() async throws { try await SharedChecks(client: client).health() }
    @Test("pictures") func pictures() async throws { try await checks("image").pictures() }
    @Test("a chat that draws") func drawnChat() async throws { try await checks("image").drawnChat() }
    @Test("speech") func speech() async throws { try await checks("speech").speech() }
    @Test("a voice that is not there") func wrongVoice() async throws { try await checks("speech").wrongVoice() }
    @Test("a conversation, in writing and in sound") func realtime() async throws {
        let (text, sound) = try await client.realtime.session { session in
            try await session.update(JSONObject([("output_modalities", ["text"]), ("max_output_tokens", 8), ("temperature", 0)]))
            try await session.say("Say hi.")
            var (text, sound, answers) = ("", 0, 0)
            for try await event in session.events {
                #expect(event.error == nil)
                if event.type == "response.output_text.delta" { text += event.delta ?? "" }
                sound += event.sound?.count ?? 0
                guard event.type == "response.done" else { continue }
                answers += 1
                guard answers == 1 else { break }
                var spoken = RealtimeResponseRequest()
                spoken.modalities = [.audio]
                let again = RealtimeItem(id: "again", .message(.user, [.text("Say hello to Peter.")]))
                try await session.send(.createItem(again, previous: nil))
                try await session.respond(spoken)
            }
            return (text, sound)
        }
        #expect(!text.isEmpty && sound > 4800)
        var asked = RealtimeSecretRequest()
        asked.expiry.seconds = 30
        #expect(try await client.realtime.createSecret(asked).value.hasPrefix("ek_"))
        await #expect(throws: OmniError.self) {
            try await client.realtime.session(model: "nobody") { session in
                for try await event in session.events { if let error = event.error { throw OmniError(.refused, error.message) } }
            }
        }
    }
    @Test("a model that is not there") func wrongModel() async throws { try await SharedChecks(client: client).wrongModel() }
    @Test("a number out of range") func wrongRange() async throws { try await checks("image").wrongRange() }

    @Test("a video, with events and steps", .enabled(if: servesVideo))
    func videos() async throws {
        var request = VideoGenerationRequest(model: try await model("video"), "a boat")
        request.size = ImageSize(width: 32, height: 32)
        request.frames = 5
        request.steps = 3
        try await checks("video").videos(request)
        request.frames = 33
        request.steps = 60
        let job = try await client.videos.create(request)
        var steps = Set<Int>()
        for try await event in try await client.videos.events(job.id) {
            guard case .job(let state) = event else { break }
            if state.stage == "denoise", let step = state.step { steps.insert(step) }
            if steps.count > 2 { break }
        }
        #expect(steps.count > 2)
        #expect(try await client.videos.delete(job.id).isDeleted)
    }

    @Test("chat, whole and streamed, give the same text")
    func chat() async throws {
        var request = ChatCompletionRequest(model: try await model("text"), [.system("You are terse."), .user("Name three rivers.")])
        request.maxTokens = 12
        request.sampling.temperature = 0
        let whole = try await client.chat.create(request)
        #expect(!whole.text.isEmpty && whole.choices[0].finishReason == "length" && whole.usage?.completionTokens == 12)
        var text = ""
        var finish: String?
        var usage: Usage?
        for try await chunk in try await client.chat.stream(request) {
            text += chunk.text
            finish = chunk.choices.first?.finishReason ?? finish
            usage = chunk.usage ?? usage
        }
        #expect(text == whole.text && finish == "length" && usage?.completionTokens == 12)
    }

    @Test("completions and tokens")
    func completions() async throws {
        let name = try await model("text")
        var request = CompletionRequest(model: name, "One, two, three,")
        request.maxTokens = 4
        request.sampling.temperature = 0
        let whole = try await client.completions.create(request)
        var text = ""
        for try await piece in try await client.completions.stream(request) { text += piece.text }
        #expect(!whole.text.isEmpty && text == whole.text)
        let tokens = try await client.tokens.encode(TokenizeRequest(model: name, "hello world"))
        #expect(tokens.count == tokens.tokens.count && tokens.count > 0)
        #expect(try await client.tokens.decode(tokens.tokens, model: name) == "hello world")
    }

    @Test("previews and progress on the way to a picture")
    func previews() async throws {
        var request = ImageGenerationRequest(model: try await model("image"), "a cat", size: ImageSize(width: 32, height: 32))
        request.drawing.steps = 4
        request.partialImages = 2
        var (steps, previews, finished) = (0, 0, 0)
        for try await update in try await client.images.streamGeneration(request) {
            switch update {
            case .progress(let stage, let step, let all):
                if stage == "denoise" {
                    #expect(all == 4)
                    steps = step
                }
            case .preview(let event):
                #expect(!event.bytes.isEmpty && finished == 0)
                previews += 1
            case .completed: finished += 1
            case .thought: Issue.record("this server's models do not think")
            }
        }
        #expect(steps == 4 && previews == 2 && finished == 1)
    }

    @Test("the server stops working on a stream that is left")
    func leaving() async throws {
        var request = ChatCompletionRequest(model: try await model("text"), [.user("Tell me a very long story.")])
        request.maxTokens = 2000
        request.sampling.ignoreEOS = true
        for try await chunk in try await client.chat.stream(request) where !chunk.text.isEmpty { break }
        var running = ""
        for _ in 0..<500 {
            running =
                try await client.server.metrics().split(separator: "\n").first { $0.hasPrefix("vllm:num_requests_running") }.map(
                    String.init) ?? ""
            if running.hasSuffix(" 0") || running.hasSuffix(" 0.0") { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(running.hasSuffix(" 0") || running.hasSuffix(" 0.0"), "\(running)")
    }

    @Test("a voice is uploaded from the disk, listed and deleted")
    func voices() async throws {
        let sound = try await client.speech.create(
            SpeechRequest(model: try await model("speech"), "This is the sound of a voice that shall be kept for a while."))
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("omni-voice-\(UUID().uuidString).wav")
        try await sound.save(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        var voice = VoiceUpload(name: "sdk-voice", consent: "consent-1")
        voice.refText = "This is the sound."
        let kept = try await client.voices.upload(voice, sample: .file(file))
        #expect(kept.name == "sdk-voice" && kept.refText == "This is the sound." && kept.mimeType == "audio/wav")
        #expect(try await client.voices.list().uploaded.map(\.name).contains("sdk-voice"))
        #expect(try await client.voices.delete("SDK-voice").success)
        let error = await #expect(throws: OmniError.self) { try await client.voices.delete("sdk-voice") }
        #expect(error?.status == 404)
    }

    @Test("a model sleeps and wakes")
    func sleep() async throws {
        let name = try await model("speech")
        #expect(try await client.server.sleep(model: name).status == "SUCCESS")
        #expect(try await client.server.health().models?[name] == "asleep")
        #expect(try await client.server.wakeUp(model: name).acknowledgements?.first?.status == "SUCCESS")
        #expect(try await client.server.health().models?[name] == "ready")
    }
}
