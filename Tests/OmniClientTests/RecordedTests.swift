import Foundation
import Testing

@testable import OmniClient

/// The shared checks against replies of vLLM-Omni 0.30.0, and what is peculiar to it.
@Suite("Recorded vLLM-Omni", .timeLimit(.minutes(10)))
struct RecordedTests {
    private func playing(_ body: (SharedChecks, StandIn) async throws -> Void) async throws {
        let recording = try Recording("vllm-omni")
        try await StandIn.serving {
            recording.answer($0)
        } _: { server in
            var configuration = OmniClient.Configuration(baseURL: server.baseURL, environment: [:])
            configuration.retries = .never
            try await body(SharedChecks(client: OmniClient(configuration)), server)
        }
    }

    @Test("health, version, models") func health() async throws { try await playing { checks, _ in try await checks.health() } }
    @Test("pictures, also where they are not streamed") func pictures() async throws {
        try await playing { checks, _ in try await checks.pictures() }
    }
    @Test("a chat that draws") func drawnChat() async throws { try await playing { checks, _ in try await checks.drawnChat() } }
    @Test("speech") func speech() async throws { try await playing { checks, _ in try await checks.speech() } }
    @Test("a voice that is not there") func wrongVoice() async throws { try await playing { checks, _ in try await checks.wrongVoice() } }
    @Test("a model that is not there") func wrongModel() async throws { try await playing { checks, _ in try await checks.wrongModel() } }
    @Test("a number out of range") func wrongRange() async throws { try await playing { checks, _ in try await checks.wrongRange() } }

    @Test("a video, without events")
    func videos() async throws {
        try await playing { checks, server in
            try await checks.videos(VideoGenerationRequest("x"))
            #expect(server.seen.contains { $0.method == "POST" && $0.text.contains("name=\"prompt\"") })
        }
    }

    @Test("a failed job comes with the status of its error")
    func failedVideo() async throws {
        try await playing { checks, _ in
            let job = try await checks.client.videos.retrieve("video_gen_failed")
            #expect(job.status == .failed && job.error?.code == 500)
            let error = await #expect(throws: OmniError.self) { _ = try await checks.client.videos.wait(for: job) }
            #expect(error?.kind == .failed && error?.status == 500 && error?.message == job.error?.message)
        }
    }

    @Test("an omni chat: text, then sound in the content, then the counts")
    func spokenChat() async throws {
        try await playing { checks, _ in
            var request = ChatCompletionRequest([.user("spoken")])
            request.modalities = ["text", "audio"]
            var text = ""
            var sounds: [AudioMetadata] = []
            for try await chunk in try await checks.client.chat.stream(request) {
                text += chunk.text
                if chunk.modality == "audio", let metadata = chunk.choices.first?.audioMetadata { sounds.append(metadata) }
            }
            #expect(text == "Hel" && sounds.map(\.sampleRate) == [24000])
        }
    }

    @Test("its own stream of edits: thoughts, then the picture")
    func streamedEdit() async throws {
        try await playing { checks, _ in
            var updates: [ImageUpdate] = []
            for try await update in try await checks.client.images.streamEdit(
                ImageEditRequest("stream"), EditInputs(.data(Data([1]), name: "a.png")))
            {
                updates.append(update)
            }
            #expect(updates.count == 2 && updates.first == .thought("think"))
            guard case .completed(let picture)? = updates.last else { Issue.record("no picture: \(updates)"); return }
            #expect(picture.bytes.starts(with: [0x89, 0x50]) && picture.size == "64x64")
        }
    }
}
