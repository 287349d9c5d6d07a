import AsyncHTTPClient
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniRequests
import OmniStore
import OmniWorkerAPI
import Testing

@testable import OmniGateway
@testable import OmniGatewayServer
@testable import OmniHTTP

/// A worker that makes every clip at once.
private final class QuickBackend: Backend {
    let status = BackendStatus(state: .ready, root: "")
    let outstanding = 0
    func sleep() async -> Bool { false }
    func wake() async throws -> Bool { false }
    func shutdown() async {}

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        let task = try VideoTask(json: try JSONValue.parse(String(buffer: request.body ?? ByteBuffer())))
        try DurableFile.write([1, 2, 3], to: "\(task.folder)/clip.mp4")
        var result = VideoTaskResult()
        result.clip = "clip.mp4"
        return UpstreamResponse(
            status: 200, headers: [], body: UpstreamBody(.bytes(ByteBuffer(string: VideoTaskEvent.done(result).json.jsonText + "\n"))))
    }
}

private struct NoNetwork: MediaFetcher {
    func fetch(_ url: String, limit: Int, param: String) async throws -> [UInt8] {
        throw APIError.invalid(param, "There is no network here.")
    }
}

@Suite("A clip in one request", .timeLimit(.minutes(10)))
struct SyncVideoTests {
    @Test("a clip whose answer nobody reads is let go with it")
    func unread() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "sync-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let catalogue = try Catalogue([CatalogueEntry(id: "wan", kind: .video, backend: QuickBackend())])
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let files = try JobFiles(folder: folder)
        let runner = JobRunner(store: MemoryJobStore(), files: files, catalogue: catalogue, logger: logger)
        try await runner.start()
        let videos = VideoJobService(runner: runner, fetcher: NoNetwork(), limits: ImageRequestLimits())
        var table = RouteTable()
        table.add(SyncVideoRoutes(orders: VideoRoutes(catalogue: catalogue, videos: videos)))
        // Any channel will do: it says only when the client has gone, which it does not here.
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup).bind(host: "127.0.0.1", port: 0).get()
        try await channel.pipeline.addHandler(DisconnectHandler()).get()
        let context = OmniContext(source: .init(logger: logger, channel: channel, requestID: "r", limits: RequestLimits()))
        let head = HTTPRequest(
            method: .post, scheme: "http", authority: "x", path: "/v1/videos/sync", headerFields: [.contentType: "application/json"])
        let request = Request(head: head, body: .init(buffer: ByteBuffer(string: #"{"prompt":"x"}"#)))
        let route = try #require(table.routes.first)
        func jobs() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: files.root.path) }
        do {
            let response = try await route.handler(request, context)
            #expect(response.status == .ok && response.body.contentLength == 3)
            #expect(try jobs().count == 1, "it lies there as long as the answer")
        }
        while try !jobs().isEmpty { try await Task.sleep(for: .milliseconds(1)) }
        try await channel.close()
        await runner.stop()
    }
}
