import Crypto
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A small Hub on 127.0.0.1 that misbehaves on request.
final class HubStandIn: Sendable {
    struct Behaviour: Sendable {
        var files: [String: [UInt8]] = [:]
        /// Files listed with the git checksum that small files have.
        var small: Set<String> = []
        var commit = String(repeating: "c", count: 40)
        /// Breaks the connection after so many bytes of a file, this many times.
        var cutAfter: Int?
        var cuts = 0
        /// Answers so many requests for files with this status first.
        var failures = 0
        var failureStatus = HTTPResponseStatus.serviceUnavailable
        var ignoresRange = false
        /// Sends other bytes than listed, this many times.
        var lies = 0
        /// Sends files from another host name, as the Hub's storage does.
        var redirects = false
        var pageSize = 1000
        var entryPath: String?
    }

    /// A request as it came.
    struct Seen: Sendable {
        var uri: String
        var range: String?
        var authorization: String?
        var host: String?
    }

    private let state: Mutex<Behaviour>
    private let log = Mutex<[Seen]>([])
    private let channel: any Channel

    var port: Int { channel.localAddress?.port ?? 0 }
    var endpoint: String { "http://127.0.0.1:\(port)" }
    var seen: [Seen] { log.withLock { $0 } }
    var fileRequests: [Seen] { seen.filter { $0.uri.contains("/resolve/") || $0.uri.hasPrefix("/storage/") } }

    func change(_ body: @Sendable (inout Behaviour) -> Void) { state.withLock { body(&$0) } }

    static func start(_ behaviour: Behaviour) async throws -> HubStandIn {
        let box = HandlerBox()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(box))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = HubStandIn(behaviour, channel)
        box.server.withLock { $0 = server }
        return server
    }

    private init(_ behaviour: Behaviour, _ channel: any Channel) {
        state = Mutex(behaviour)
        self.channel = channel
    }

    func stop() async { try? await channel.close() }

    static func sha256(_ bytes: [UInt8]) -> String { hex(SHA256.hash(data: bytes)) }
    static func git(_ bytes: [UInt8]) -> String { hex(Insecure.SHA1.hash(data: Array("blob \(bytes.count)\0".utf8) + bytes)) }
    private static func hex(_ digest: some Sequence<UInt8>) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // MARK: - Answers

    struct Answer {
        var status = HTTPResponseStatus.ok
        var headers = HTTPHeaders()
        var body: [UInt8] = []
        /// Bytes of the body after which the connection breaks.
        var cut: Int?
    }

    func answer(_ head: HTTPRequestHead) -> Answer {
        log.withLock {
            $0.append(
                Seen(
                    uri: head.uri, range: head.headers.first(name: "Range"), authorization: head.headers.first(name: "Authorization"),
                    host: head.headers.first(name: "Host")))
        }
        return state.withLock { behaviour in
            if head.uri.contains("/revision/") { return Answer(body: Array(#"{"sha":"\#(behaviour.commit)"}"#.utf8)) }
            if head.uri.contains("/tree/") { return listing(head.uri, behaviour) }
            return file(head, &behaviour)
        }
    }

    private func listing(_ uri: String, _ behaviour: Behaviour) -> Answer {
        let all = behaviour.files.sorted { $0.key < $1.key }
        let start = uri.firstMatch(of: /cursor=(\d+)/).flatMap { Int($0.output.1) } ?? 0
        let page = all.dropFirst(start).prefix(behaviour.pageSize)
        let entries = page.map { path, bytes in
            let name = behaviour.entryPath ?? path
            return behaviour.small.contains(path)
                ? #"{"type":"file","path":"\#(name)","size":\#(bytes.count),"oid":"\#(Self.git(bytes))"}"#
                : #"{"type":"file","path":"\#(name)","size":\#(bytes.count),"oid":"\#(String(repeating: "0", count: 40))","lfs":{"oid":"\#(Self.sha256(bytes))","size":\#(bytes.count)}}"#
        }
        var answer = Answer(body: Array("[\(([#"{"type":"directory","path":"x"}"#] + entries).joined(separator: ","))]".utf8))
        if start + behaviour.pageSize < all.count {
            answer.headers.add(name: "Link", value: "<\(uri.split(separator: "&")[0])&cursor=\(start + behaviour.pageSize)>; rel=\"next\"")
        }
        return answer
    }

    private func file(_ head: HTTPRequestHead, _ behaviour: inout Behaviour) -> Answer {
        let path = head.uri.split(separator: "/resolve/\(behaviour.commit)/").last.map(String.init)?.removingPercentEncoding ?? ""
        if !head.uri.hasPrefix("/storage/"), behaviour.redirects {
            return Answer(status: .found, headers: ["Location": "http://localhost:\(port)/storage/resolve/\(behaviour.commit)/\(path)"])
        }
        if behaviour.failures > 0 {
            behaviour.failures -= 1
            return Answer(status: behaviour.failureStatus)
        }
        guard var bytes = behaviour.files[path] else { return Answer(status: .notFound) }
        if behaviour.lies > 0 {
            behaviour.lies -= 1
            bytes = bytes.map { $0 ^ 1 }
        }
        var answer = Answer(body: bytes)
        if !behaviour.ignoresRange, let range = head.headers.first(name: "Range")?.firstMatch(of: /bytes=(\d+)-/),
            let start = Int(range.output.1)
        {
            guard start < bytes.count else { return Answer(status: .rangeNotSatisfiable) }
            answer.status = .partialContent
            answer.headers.add(name: "Content-Range", value: "bytes \(start)-\(bytes.count - 1)/\(bytes.count)")
            answer.body = Array(bytes[start...])
        }
        if behaviour.cuts > 0, let cut = behaviour.cutAfter, cut < answer.body.count {
            behaviour.cuts -= 1
            answer.cut = cut
        }
        return answer
    }
}

/// Lets the handlers reach the server, which exists only after they were set up.
private final class HandlerBox: Sendable {
    let server = Mutex<HubStandIn?>(nil)
}

private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let box: HandlerBox
    private var head: HTTPRequestHead?

    init(_ box: HandlerBox) { self.box = box }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head, let server = box.server.withLock({ $0 }) else { return context.close(promise: nil) }
            let answer = server.answer(head)
            var headers = answer.headers
            headers.replaceOrAdd(name: "Content-Length", value: "\(answer.body.count)")
            context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: answer.status, headers: headers))), promise: nil)
            let sent = answer.cut.map { Array(answer.body.prefix($0)) } ?? answer.body
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: sent)))), promise: nil)
            if answer.cut != nil {
                let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
                context.flush()
                context.eventLoop.execute { bound.value.close(promise: nil) }
            } else {
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
