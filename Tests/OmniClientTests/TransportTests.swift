import Foundation
import Synchronization
import Testing

@testable import OmniClient

/// What the client does with servers that are slow, busy, wrong or gone.
@Suite("Transport", .timeLimit(.minutes(10)))
struct TransportTests {
    private let models = #"{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"vllm"}]}"#
    private let busy = #"{"error":{"message":"The queue is full.","type":"ServiceUnavailableError","param":null,"code":503}}"#

    /// A client that notes its pauses in place of waiting.
    private func client(_ server: StandIn, pauses: Pauses = Pauses()) -> OmniClient {
        var configuration = OmniClient.Configuration(baseURL: server.baseURL, apiKey: "key", environment: [:])
        configuration.retries.limit = 3
        return OmniClient(configuration, pause: { pauses.note($0) })
    }

    @Test("a GET is tried again after as long as the server asks")
    func retriesGET() async throws {
        let pauses = Pauses()
        let count = Mutex(0)
        try await StandIn.serving { [busy, models] _ in
            let number = count.withLock {
                $0 += 1; return $0
            }
            return number < 3 ? .json(busy, status: 503, headers: [("Retry-After", "7")]) : .json(models)
        } _: { server in
            let list = try await client(server, pauses: pauses).models.list()
            #expect(list.map(\.id) == ["m"])
            #expect(pauses.all == [.seconds(7), .seconds(7)])
            #expect(server.seen.count == 3 && server.seen.allSatisfy { $0.header("Authorization") == "Bearer key" })
        }
    }

    @Test("a POST is sent once, and tried again only under an Idempotency-Key")
    func retriesPOST() async throws {
        try await StandIn.serving { [busy] _ in
            .json(busy, status: 503)
        } _: { server in
            let client = client(server)
            let request = ChatCompletionRequest([.user("hi")])
            await #expect(throws: OmniError.self) { try await client.chat.create(request) }
            #expect(server.seen.count == 1)
            await #expect(throws: OmniError.self) { try await client.chat.create(request, CallOptions(idempotencyKey: "once")) }
            #expect(server.seen.count == 5)
            #expect(server.seen.dropFirst().allSatisfy { $0.header("Idempotency-Key") == "once" })
        }
    }

    @Test("an error has all that the envelope and the headers tell")
    func errors() async throws {
        let envelope = #"{"error":{"message":"n: must be from 1 to 10, not 99.","type":"Bad Request","param":"body.n","code":400}}"#
        try await StandIn.serving { request in
            switch request.uri {
            case "/v1/images/generations": .json(envelope, status: 400, headers: [("X-Request-Id", "r1")])
            case "/v1/completions":
                .json(
                    #"{"error":{"message":"Bad key.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#, status: 401)
            case "/v1/embeddings": .json(#"{"detail":"Not Found"}"#, status: 404)
            default: StandIn.Answer(status: 502, headers: [("Content-Type", "text/html")], pieces: [Array("<h1>Bad Gateway</h1>\nx".utf8)])
            }
        } _: { server in
            let client = client(server)
            var error = await self.error { _ = try await client.images.generate(ImageGenerationRequest("x")) }
            #expect(
                error?.kind == .refused && error?.status == 400 && error?.type == "Bad Request" && error?.param == "body.n"
                    && error?.code == "400")
            #expect(error?.requestID == "r1" && error?.message == "n: must be from 1 to 10, not 99.")
            error = await self.error { _ = try await client.completions.create(CompletionRequest("x")) }
            #expect(error?.code == "invalid_api_key" && error?.status == 401)
            error = await self.error { _ = try await client.embeddings.create(EmbeddingRequest(["x"])) }
            #expect(error?.message == "Not Found")
            error = await self.error { _ = try await client.chat.create(ChatCompletionRequest([.user("x")])) }
            #expect(error?.message == "\(server.baseURL)/v1/chat/completions answered with status 502." && error?.status == 502)
        }
    }

    @Test("nobody there, no answer in time, and an answer that is no answer are told apart")
    func unreachable() async throws {
        var configuration = OmniClient.Configuration(baseURL: "http://127.0.0.1:1", environment: [:])
        configuration.retries = .never
        let nobody = OmniClient(configuration)
        let refused = await error { _ = try await nobody.models.list() }
        #expect(refused?.kind == .unreachable)
        try await StandIn.serving {
            $0.uri == "/v1/audio/speech" ? StandIn.Answer(ending: .silent) : .json("[1]")
        } _: { server in
            let client = client(server)
            let wrong = await error { _ = try await client.server.version() }
            #expect(wrong?.kind == .unreadable)
            let silent = await error { _ = try await client.speech.create(SpeechRequest("x"), CallOptions(timeout: .milliseconds(50))) }
            #expect(silent?.kind == .timedOut && silent?.isTransient == true)
        }
    }

    @Test("a key's line end is no part of it, and no key is told in an error")
    func key() async throws {
        try await StandIn.serving { [models] _ in
            .json(models)
        } _: { server in
            _ = try await OmniClient(.init(baseURL: server.baseURL, apiKey: "secret\r\n", environment: [:])).models.list()
            #expect(server.seen[0].header("Authorization") == "Bearer secret")
            let bad = OmniClient(.init(baseURL: server.baseURL, apiKey: "sec\rret", environment: [:]))
            let error = await error { _ = try await bad.models.list() }
            #expect(error?.message.contains("header") == true && error?.message.contains("ret") == false)
        }
    }

    @Test("a stream: pieces cut anywhere, comments passed over, ended by [DONE]")
    func stream() async throws {
        let wire =
            ": keep-alive\n\n"
            + ["Hel", "lo"].map { #"data: {"choices":[{"index":0,"delta":{"content":"\#($0)"}}],"modality":"text"}"# + "\n\n" }.joined()
            + #"data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"# + "\n\ndata: [DONE]\n\n"
        let bytes = Array(wire.utf8)
        let pieces = stride(from: 0, to: bytes.count, by: 11).map { Array(bytes[$0..<min($0 + 11, bytes.count)]) }
        try await StandIn.serving { _ in
            StandIn.Answer(headers: [("Content-Type", "text/event-stream")], pieces: pieces)
        } _: { server in
            var text = ""
            var usage: Usage?
            for try await chunk in try await client(server).chat.stream(ChatCompletionRequest([.user("hi")])) {
                text += chunk.text
                usage = chunk.usage ?? usage
            }
            #expect(text == "Hello" && usage?.completionTokens == 2)
            let sent = try JSONValue.parse(server.seen[0].body)
            #expect(sent["stream"] == true && sent["stream_options"]?["include_usage"] == true)
        }
    }

    @Test("an error inside a stream is thrown with its status and the request's id")
    func streamError() async throws {
        let first = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"
        let failure =
            #"data: {"error":{"message":"The worker died.","type":"InternalServerError","param":null,"code":500}}"# + "\n\ndata: [DONE]\n\n"
        try await StandIn.serving { _ in
            var answer = StandIn.Answer.events([first, failure])
            answer.headers.append(("X-Request-Id", "r9"))
            return answer
        } _: { server in
            let client = client(server)
            let text = Mutex("")
            let error = await error {
                for try await chunk in try await client.chat.stream(ChatCompletionRequest([.user("hi")])) {
                    text.withLock { $0 += chunk.text }
                }
            }
            #expect(text.withLock { $0 } == "a")
            #expect(error?.status == 500 && error?.message == "The worker died." && error?.requestID == "r9")
        }
    }

    @Test("a connection that breaks in a stream is an error, not an end")
    func cutStream() async throws {
        try await StandIn.serving { _ in
            .events(["data: {\"choices\":[]}\n\n"], ending: .cut)
        } _: { server in
            let client = client(server)
            let error = await error { for try await _ in try await client.chat.stream(ChatCompletionRequest([.user("hi")])) {} }
            #expect(error?.kind == .interrupted)
        }
    }

    @Test("cancelling the task, and leaving the loop, close the request")
    func cancellation() async throws {
        try await StandIn.serving { request in
            request.uri == "/v1/models" ? StandIn.Answer(ending: .hangs) : .events(["data: {\"choices\":[]}\n\n"], ending: .hangs)
        } _: { server in
            let client = client(server)
            // Waiting for the reply to end.
            let waiting = Task { _ = try await client.models.list() }
            #expect(try await eventually { server.seen.count == 1 })
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            #expect(try await eventually { server.abandoned == 1 })
            // In the middle of a stream.
            let reached = Mutex(false)
            let reading = Task {
                for try await _ in try await client.chat.stream(ChatCompletionRequest([.user("hi")])) { reached.withLock { $0 = true } }
            }
            #expect(try await eventually { reached.withLock { $0 } })
            reading.cancel()
            await #expect(throws: CancellationError.self) { try await reading.value }
            #expect(try await eventually { server.abandoned == 2 })
            // Out of the loop.
            for try await _ in try await client.chat.stream(ChatCompletionRequest([.user("hi")])) { break }
            #expect(try await eventually { server.abandoned == 3 })
        }
    }

    @Test("a file that is sent comes whole, and one that is saved has its name only when it is whole")
    func files() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("omni-files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let picture = folder.appendingPathComponent("in.png")
        try Data(repeating: 0x5A, count: 300_000).write(to: picture)
        try await StandIn.serving { request in
            if request.uri == "/v1/videos/cut/content" {
                return StandIn.Answer(headers: [("Content-Length", "10")], pieces: [[1, 2, 3]], ending: .cut)
            }
            if request.uri.hasSuffix("/content") {
                return StandIn.Answer(headers: [("Content-Type", "video/mp4")], pieces: [[1, 2, 3], [4, 5]])
            }
            return .json(#"{"created":1,"data":[{"b64_json":"AQI="}]}"#)
        } _: { server in
            let client = client(server)
            let reply = try await client.images.edit(ImageEditRequest("make it blue"), EditInputs(.file(picture)))
            #expect(reply.data[0].bytes == Data([1, 2]))
            let sent = server.seen[0]
            #expect(sent.body.count == sent.header("Content-Length").flatMap { Int($0) })
            #expect(sent.body.count { $0 == 0x5A } >= 300_000 && sent.text.contains("name=\"prompt\"\r\n\r\nmake it blue\r\n"))
            let video = folder.appendingPathComponent("video.mp4")
            #expect(try await client.videos.content("v").save(to: video) == 5)
            #expect(try Data(contentsOf: video) == Data([1, 2, 3, 4, 5]))
            await #expect(throws: OmniError.self) {
                try await client.videos.content("cut").save(to: folder.appendingPathComponent("cut.mp4"))
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["in.png", "video.mp4"])
        }
    }

    private func error(_ body: () async throws -> Void) async -> OmniError? {
        do { try await body() } catch { return error as? OmniError }
        return nil
    }
}

/// The pauses that a client would have made.
final class Pauses: Sendable {
    private let list = Mutex<[Duration]>([])
    var all: [Duration] { list.withLock { $0 } }
    func note(_ pause: Duration) { list.withLock { $0.append(pause) } }
}
