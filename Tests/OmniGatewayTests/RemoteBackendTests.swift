import Foundation
import Logging
import NIOCore
import NIOPosix
import OmniAPI
import OmniTestSupport
import Synchronization
import Testing

@testable import OmniGateway

@Suite("A backend elsewhere", .timeLimit(.minutes(10)))
struct RemoteBackendTests {
    private static let request = UpstreamRequest(method: "POST", path: "/v1/x", headers: [("X-A", "b")], body: ByteBuffer(string: "{}"))

    /// A server that answers with its name, and healthily while `isWell`.
    private final class Place: Sendable {
        let server: ScriptedServer

        init(_ name: String, _ work: ScriptedServer.Reply? = nil, isWell: Bool = true) throws {
            let well = Flag(isWell)
            server = try ScriptedServer { request in
                guard request.path != "/health" else { return .json(well.value.withLock { $0 } ? 200 : 503, "{}") }
                return work ?? .json(200, "\"\(name)\"")
            }
            flag = well
        }

        private let flag: Flag
        final class Flag: Sendable {
            let value: Mutex<Bool>
            init(_ value: Bool) { self.value = Mutex(value) }
        }

        var work: [ScriptedServer.Request] { server.requests.filter { $0.path != "/health" } }
        func set(well: Bool) { flag.value.withLock { $0 = well } }
    }

    /// Runs `body` with a backend over these addresses.
    private func with(
        _ urls: [String], apiKey: String? = nil, clock: BackendClock = .system, onChange: @escaping @Sendable () -> Void = {},
        _ body: (RemoteBackend) async throws -> Void
    ) async throws {
        let client = UpstreamClient(group: .singletonMultiThreadedEventLoopGroup)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let backend = RemoteBackend(id: "far", urls: urls, apiKey: apiKey, client: client, clock: clock, logger: logger, onChange: onChange)
        do { try await body(backend) } catch {
            await backend.shutdown()
            await client.shutdown()
            throw error
        }
        await backend.shutdown()
        await client.shutdown()
    }

    private func ask(_ backend: RemoteBackend, at place: String? = nil) async throws -> String {
        var request = Self.request
        request.place = place
        return String(buffer: try await backend.send(request).body.collect(upTo: 1000))
    }

    @Test("the least busy server is asked, and one is busy until its answer has been let go")
    func leastBusy() async throws {
        let (one, two) = (try Place("one"), try Place("two"))
        try await with([one.server.url + "/", two.server.url]) { backend in
            do {
                let first = try await backend.send(Self.request)
                #expect(first.place == one.server.url, "the base without its slash")
                #expect(backend.outstanding == 1)
                #expect(try await ask(backend) == "\"two\"")
                #expect(String(buffer: try await first.body.collect(upTo: 1000)) == "\"one\"")
            }
            #expect(backend.outstanding == 0)
            #expect(try await ask(backend) == "\"one\"")
            #expect(try await ask(backend, at: two.server.url) == "\"two\"", "a request for one place goes there")
        }
        #expect(one.work.count == 2 && two.work.count == 2)
        #expect(one.work.first.map { String(decoding: $0.body, as: UTF8.self) } == "{}" && one.work.first?.header("X-A") == "b")
    }

    @Test("a server that nobody listens at is passed over and told as down; with none left it is 503")
    func unreachable() async throws {
        let place = try Place("one")
        let box = Changes()
        try await with(["http://127.0.0.1:1", place.server.url], onChange: { box.count.withLock { $0 += 1 } }) { backend in
            for _ in 0..<2 {
                let answer = try await ask(backend)
                #expect(answer == "\"one\"", "the other is down, and comes last")
                #expect(box.count.withLock { $0 } == 1 && backend.status.state == .ready)
            }
            await place.server.stopListening()
            await #expect { _ = try await ask(backend, at: "http://127.0.0.1:1") } throws: {
                ($0 as? APIError)?.status == 503 && ($0 as? APIError)?.retryAfter == 5
            }
        }
    }

    private final class Changes: Sendable { let count = Mutex(0) }

    @Test("a request that may have been served is not sent again: 500, and the next goes on as before")
    func broken() async throws {
        let (one, two) = (try Place("one", .hangUp), try Place("two"))
        try await with([one.server.url, two.server.url]) { backend in
            await #expect { _ = try await ask(backend) } throws: { ($0 as? APIError)?.status == 500 }
            #expect(two.work.isEmpty && backend.status.state == .ready && backend.outstanding == 0)
        }
    }

    @Test("our key is sent, the answer's status and headers come back as they are")
    func key() async throws {
        let place = try Place("one", .json(418, "{}", headers: [("X-Own", "1")]))
        try await with([place.server.url], apiKey: "k") { backend in
            let reply = try await backend.send(Self.request)
            #expect(reply.status == 418 && reply.headers.contains { $0.0.lowercased() == "x-own" && $0.1 == "1" })
            _ = try await reply.body.collect(upTo: 1000)
        }
        #expect(place.work.first?.header("Authorization") == "Bearer k")
    }

    @Test("whoever gives up ends the request")
    func cancelled() async throws {
        let place = try Place("one", .silence)
        try await with([place.server.url]) { backend in
            let task = Task { try await backend.send(Self.request) }
            while place.work.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
            #expect(backend.outstanding == 1)
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            while backend.outstanding != 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test("its health is looked at every five seconds: down, and up again")
    func health() async throws {
        let place = try Place("one", isWell: false)
        let (time, box) = (ManualClock(), Changes())
        try await with([place.server.url], clock: time.clock, onChange: { box.count.withLock { $0 += 1 } }) { backend in
            backend.start()
            await time.run(until: {
                if case .failed(let reason) = backend.status.state { reason.contains(place.server.url) } else { false }
            })
            // What is down is asked all the same where nothing else is left.
            #expect(try await ask(backend) == "\"one\"")
            place.set(well: true)
            await time.run(.seconds(20), until: { backend.status.state == .ready })
            #expect(box.count.withLock { $0 } == 2)
            let (woken, slept) = (try await backend.wake(), await backend.sleep())
            #expect(!woken && !slept)
        }
    }
}
