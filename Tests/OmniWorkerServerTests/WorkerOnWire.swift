import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import OmniAPI
import OmniEngine
import OmniHTTP
import ServiceLifecycle
import Synchronization

@testable import OmniWorkerServer

/// A worker's routes behind a real listener on 127.0.0.1.
final class WorkerOnWire: Sendable {
    let worker = WorkerModel(servedName: "m")
    let url: String
    private let service: Task<Void, any Error>

    init(_ state: WorkerModel.State) async throws {
        worker.state = state
        let metrics = MetricsRegistry()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let listener = HTTPListener(
            configuration: .init(address: .tcp(host: "127.0.0.1", port: 0), isPublic: false, connections: .none),
            routes: WorkerRoutes(worker: worker, metrics: metrics, fetcher: NoNetwork()).table, metrics: HTTPMetrics(registry: metrics),
            logger: logger)
        let (ports, bound) = AsyncStream.makeStream(of: Int.self)
        let service = try listener.service(group: MultiThreadedEventLoopGroup.singleton) { bound.yield($0) }
        self.service = Task { try await service.run() }
        var port = ports.makeAsyncIterator()
        url = "http://127.0.0.1:\(await port.next() ?? 0)"
    }

    deinit { service.cancel() }

    private struct NoNetwork: MediaFetcher {
        func fetch(_ url: String, limit: Int, param: String) async throws -> [UInt8] {
            throw APIError.invalid(param, "There is no network here.")
        }
    }

    struct Answer {
        let status: Int
        let ignored: String?
        let text: String
        var json: JSONValue { (try? JSONValue.parse(text)) ?? .null }
        /// The objects of an event stream.
        var events: [JSONValue] {
            text.components(separatedBy: "\n\n").filter { $0.hasPrefix("data: {") }.compactMap {
                try? JSONValue.parse(String($0.dropFirst(6)))
            }
        }
    }

    /// Posts `body`, or gets where it is nil.
    func ask(_ path: String, _ body: JSONValue? = nil) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        if let body {
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body.jsonBytes))
        }
        let reply = try await HTTPClient.shared.execute(request, timeout: .minutes(5))
        let text = String(buffer: try await reply.body.collect(upTo: 16 << 20))
        return Answer(status: Int(reply.status.code), ignored: reply.headers.first(name: "x-ignored-params"), text: text)
    }
}

/// A model that chats, speaks its answers itself, and reads texts aloud: three capabilities in one.
final class TalkingModel: TextModel, SpeechModel {
    let card = ModelCard(kind: .text, root: "/models/t", maxModelLength: 100)
    let capabilities: Set<ModelCapability> = [.chat, .spokenChat, .speech]
    let voices = [SpeechVoice(name: "ann")]
    let abilities = SpeechAbilities(sampleRate: 24_000)
    let systemFingerprint: String? = nil
    let tokenizing = Mutex((entered: 0, cancelled: 0))
    /// Made by ``chat(_:scope:)``.
    let answer: [TextEvent]

    init(_ answer: [TextEvent] = []) { self.answer = answer }

    func shutdown() async {}

    func chat(_ request: ChatCompletionRequest, scope: RequestScope) async throws -> TextGeneration {
        TextGeneration(
            promptTokens: 1,
            events: AsyncThrowingStream { events in
                for event in answer { events.yield(event) }
                events.finish()
            })
    }

    func complete(_ request: CompletionRequest, scope: RequestScope) async throws -> TextGeneration {
        throw APIError(.notImplemented, "It only chats.")
    }
    func speak(_ request: SpeechSynthesis, scope: RequestScope) async throws -> SpeechGeneration {
        throw APIError(.notImplemented, "It only chats.")
    }
    var tokenizerInfo: TokenizerInfo { TokenizerInfo() }
    func piece(of token: Int) -> [UInt8] { [] }
    func detokenize(_ tokens: [Int]) async throws -> String { "" }

    /// Waits until it is cancelled.
    func tokenize(_ request: TokenizeRequest) async throws -> [Int] {
        tokenizing.withLock { $0.entered += 1 }
        do { try await Task.sleep(for: .seconds(3600)) } catch {
            tokenizing.withLock { $0.cancelled += 1 }
            throw error
        }
        return []
    }
}
