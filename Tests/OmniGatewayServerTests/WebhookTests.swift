import Foundation
import Logging
import NIOPosix
import OmniAPI
import OmniHTTP
import OmniStore
import Synchronization
import Testing

@testable import OmniGatewayServer

/// A receiver that answers at once, but for one job: to that it says nothing.
private final class SlowReceiver: WebhookPoster {
    let called = Mutex<[String]>([])
    private let slow: String

    init(slow: String) { self.slow = slow }

    func post(_ address: String, headers: [(String, String)], body: [UInt8]) async throws -> Int {
        let id = headers.first { $0.0 == "webhook-id" }?.1 ?? ""
        called.withLock { $0.append(id) }
        if id == "evt_\(slow)" { try await Task.sleep(for: .seconds(3600)) }
        return 200
    }
}

@Suite struct WebhookTests {
    /// The example of the Standard Webhooks specification's libraries.
    @Test func signaturesAreTheStandards() throws {
        let sender = WebhookSender(
            store: MemoryJobStore(), poster: MediaURLFetcher(group: .singletonMultiThreadedEventLoopGroup),
            secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", logger: .init(label: "test"))
        let headers = sender.headers(id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: 1_614_265_330, Array(#"{"test": 2432232314}"#.utf8))
        #expect(headers.first { $0.0 == "webhook-signature" }?.1 == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    /// A store with jobs that are over and want to be told.
    private func filled(_ jobs: [String]) async throws -> MemoryJobStore {
        let store = MemoryJobStore()
        for id in jobs {
            var request = VideoGenerationRequest()
            (request.prompt, request.webhookURL) = ("x", "https://example.com/hook")
            _ = try await store.create(NewJob(id: id, model: "m", modelName: "m", request: request, seed: 1), mostQueued: 1000)
            _ = await store.claim(models: ["m"])
            _ = await store.change(id, .failed(attempt: 1, VideoJobError(code: 400, message: "no")))
        }
        return store
    }

    @Test("one receiver that says nothing holds up nobody else", .timeLimit(.minutes(10))) func slowReceiver() async throws {
        let ids = (0..<50).map { "job\($0)" }
        let receiver = SlowReceiver(slow: "job0")
        let store = try await filled(ids)
        let sender = WebhookSender(store: store, poster: receiver, secret: "s", logger: Logger(label: "test"))
        let run = Task { await sender.run() }
        while await store.dueWebhooks(limit: 100).due.map(\.id) != ["job0"] { try await Task.sleep(for: .milliseconds(2)) }
        run.cancel()
        await run.value
        #expect(receiver.called.withLock { $0.sorted() } == ids.map { "evt_\($0)" }.sorted(), "each once")
    }
}
