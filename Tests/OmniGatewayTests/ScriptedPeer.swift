import AsyncHTTPClient
import Foundation
import NIOCore
import OmniAPI
import OmniStore
import Synchronization

@testable import OmniGateway

/// A clock on which nobody waits: a sleep moves the time and returns.
final class ScriptedClock: Sendable {
    private let state = Mutex((now: 1_000_000.0, sleeps: [Double]()))

    var now: Double { state.withLock { $0.now } }
    /// All sleeps so far, seconds.
    var sleeps: [Double] { state.withLock { $0.sleeps } }

    var clock: JobClock {
        JobClock(now: { self.now }) { seconds in
            try Task.checkCancellation()
            self.state.withLock { $0 = ($0.now + seconds, $0.sleeps + [seconds]) }
            await Task.yield()
        }
    }
}

/// A server elsewhere that answers as a test says. Requests are named by their method and path: `POST /v1/videos`.
final class ScriptedPeer: Backend {
    enum Answer: Sendable {
        case status(Int, [(String, String)] = [], String = "")
        /// 200 with a body that breaks off.
        case breaksOff
        /// The connection breaks before any answer.
        case broken
        /// Nobody listens.
        case unreachable
    }

    private let script: Mutex<[String: [Answer]]>
    private let otherwise: @Sendable (String) -> Answer
    private let seen = Mutex<[UpstreamRequest]>([])

    /// - Parameters:
    ///   - script: what is answered to each request, the first time, the second time, and so on; at last `otherwise` counts.
    init(_ script: [String: [Answer]], otherwise: @escaping @Sendable (String) -> Answer = ScriptedPeer.works) {
        self.script = Mutex(script)
        self.otherwise = otherwise
    }

    /// Takes every job and has its clip at once.
    static let works: @Sendable (String) -> Answer = { request in
        switch request {
        case "POST /v1/videos": .status(200, [], #"{"id":"there"}"#)
        case "GET /v1/videos/there": .status(200, [], ScriptedPeer.job("there", "completed"))
        case "GET /v1/videos/there/content": .status(200, [("Content-Type", "video/mp4")], "clip")
        case "DELETE /v1/videos/there": .status(200, [], "{}")
        default: .status(404, [], #"{"error":{"message":"not here"}}"#)
        }
    }

    static func job(_ id: String, _ status: String, prompt: String = "x", created: Int = 1_000_000) -> String {
        #"{"id":"\#(id)","object":"video","model":"far","status":"\#(status)","progress":50,"created_at":\#(created),"prompt":"\#(prompt)"}"#
    }

    var status: BackendStatus { BackendStatus(state: .ready, root: "http://far") }
    var outstanding: Int { 0 }
    func sleep() async -> Bool { false }
    func wake() async throws -> Bool { false }
    func shutdown() async {}

    /// All requests so far as `METHOD path`, without polls.
    var log: [String] { seen.withLock { $0.map(Self.name) }.filter { $0 != "GET /v1/videos/there" } }
    /// Bodies of the jobs that were posted.
    var posts: [String] { seen.withLock { $0.filter { $0.method == "POST" }.map { String(buffer: $0.body ?? ByteBuffer()) } } }
    var keys: [String] { seen.withLock { $0.compactMap { request in request.headers.first { $0.0 == "Idempotency-Key" }?.1 } } }

    private static func name(_ request: UpstreamRequest) -> String { "\(request.method) \(request.path)" }

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        seen.withLock { $0.append(request) }
        let name = Self.name(request)
        let scripted: Answer? = script.withLock { script in
            guard script[name]?.isEmpty == false else { return nil }
            return script[name]?.removeFirst()
        }
        switch scripted ?? otherwise(name) {
        case .status(let status, let headers, let text):
            return UpstreamResponse(
                status: status, headers: headers, body: UpstreamBody(.bytes(ByteBuffer(string: text))), place: "http://far")
        case .breaksOff:
            let pieces = AsyncThrowingStream<ByteBuffer, any Error> { stream in
                stream.yield(ByteBuffer(string: "{"))
                stream.finish(throwing: IOError(errnoCode: ECONNRESET, reason: "read"))
            }
            return UpstreamResponse(status: 200, headers: [], body: UpstreamBody(.stream(pieces)), place: "http://far")
        case .broken: throw APIError(.internalError, "The backend closed the connection while it served this request.")
        case .unreachable: throw APIError(.unavailable, "No server of model `far` can be reached.", retryAfter: 5)
        }
    }
}
