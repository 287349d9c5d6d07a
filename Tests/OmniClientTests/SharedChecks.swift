import Foundation
import Testing

@testable import OmniClient

/// What holds for every server of this API: run against recorded replies of vLLM-Omni and against our own server.
struct SharedChecks {
    let client: OmniClient
    /// A model that exists, for the kinds of request that are checked.
    var model: String?

    func health() async throws {
        #expect(try await client.server.health().isHealthy)
        #expect(!(try await client.server.version()).isEmpty)
        let models = try await client.models.list()
        #expect(!models.isEmpty && models.allSatisfy { !$0.id.isEmpty && $0.created > 0 })
    }

    func pictures() async throws {
        var request = ImageGenerationRequest(model: model, "a cat", size: ImageSize(width: 64, height: 64))
        request.drawing.steps = 2
        let reply = try await client.images.generate(request)
        #expect(reply.size == "64x64" && reply.outputFormat == "png" && reply.created > 0)
        let picture = try #require(reply.data.first?.bytes)
        #expect(picture.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        #expect(reply.metrics?.stageDurations?["diffuse"] != nil)
        // A server that does not stream here answers at once, and the stream brings its picture all the same.
        var finished: [ImageStreamEvent] = []
        for try await case .completed(let event) in try await client.images.streamGeneration(request) { finished.append(event) }
        #expect(finished.count == 1 && finished.allSatisfy { $0.bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) })
        let edited = try await client.images.edit(ImageEditRequest(model: model, "bluer"), EditInputs(.data(picture, name: "in.png")))
        #expect(edited.data.first?.bytes?.isEmpty == false)
    }

    func drawnChat() async throws {
        let answer = try await client.chat.create(
            ChatCompletionRequest(model: model, [.user("a cat")]),
            CallOptions(extraFields: JSONObject([("num_inference_steps", 2), ("size", "64x64")])))
        #expect(answer.choices.first?.message.pictures.first?.hasPrefix("data:image/png;base64,") == true)
        #expect(answer.choices.first?.finishReason == "stop" && answer.usage?.completionTokens == 1)
    }

    func speech() async throws {
        let whole = try await client.speech.create(SpeechRequest(model: model, "Hello there."))
        #expect(whole.contentType == "audio/wav")
        #expect(try await whole.collect().starts(with: Array("RIFF".utf8)))
        var sound = 0
        for try await piece in try await client.speech.stream(SpeechRequest(model: model, "Hello there.", format: .pcm)) {
            sound += piece.count
        }
        #expect(sound > 0 && sound % 2 == 0)
        var bytes = 0
        var usage: SpeechTokenUsage?
        for try await event in try await client.speech.events(SpeechRequest(model: model, "Hello there.", format: .pcm)) {
            switch event {
            case .delta(let audio, _): bytes += Data(base64Encoded: audio)?.count ?? 0
            case .done(let counts): usage = counts
            case .error: Issue.record("an error event was not thrown")
            }
        }
        #expect(bytes > 0 && (usage?.outputTokens ?? 0) > 0)
        #expect(try await client.voices.list().voices.contains("default"))
    }

    func wrongVoice() async throws {
        let error = await #expect(throws: OmniError.self) {
            _ = try await client.speech.create(SpeechRequest(model: model, "Hello.", voice: "nobody"))
        }
        #expect(error?.status == 400 && error?.type == "BadRequestError" && error?.message.contains("Invalid voice 'nobody'") == true)
    }

    func wrongModel() async throws {
        let error = await #expect(throws: OmniError.self) {
            _ = try await client.speech.create(SpeechRequest(model: "not/there", "Hello."))
        }
        #expect(error?.status == 404 && error?.type == "NotFoundError" && error?.param == "model")
    }

    func wrongRange() async throws {
        var request = ImageGenerationRequest(model: model, "x")
        request.n = 99
        let error = await #expect(throws: OmniError.self) { _ = try await client.images.generate(request) }
        #expect(error?.status == 400 && error?.type == "Bad Request" && error?.param == "body.n")
    }

    func videos(_ request: VideoGenerationRequest) async throws {
        let seen = Progress()
        let job = try await client.videos.createAndPoll(request, pause: .milliseconds(20)) { seen.note($0) }
        #expect(job.status == .completed && job.progress == 100 && job.fileName == "\(job.id).mp4")
        #expect(seen.statuses.first == .queued && seen.statuses.last == .completed)
        let video = try await client.videos.content(job.id)
        #expect(video.contentType == "video/mp4")
        #expect(try await video.collect().isEmpty == false)
        #expect(try await client.videos.list().data.contains { $0.id == job.id })
        #expect(try await client.videos.delete(job.id).isDeleted)
        let error = await #expect(throws: OmniError.self) { _ = try await client.videos.retrieve(job.id) }
        #expect(error?.status == 404)
    }
}
