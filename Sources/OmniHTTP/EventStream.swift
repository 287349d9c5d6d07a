import HTTPTypes
import Hummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import OmniAPI

/// Writes server-sent events, from one task or several: each event is one write, which NIO's writer takes from anywhere.
// @unchecked: the existential writer has no Sendable conformance in its type; Hummingbird's only writer is a Sendable struct.
public final class EventSink: @unchecked Sendable {
    private let writer: any ResponseBodyWriter
    private let lastWrite = NIOLockedValueBox(ContinuousClock.now)

    package init(_ writer: any ResponseBodyWriter) { self.writer = writer }

    /// Writes bytes as they are; they must form whole events.
    package func write(_ buffer: ByteBuffer) async throws {
        lastWrite.withLockedValue { $0 = .now }
        var writer = writer
        try await writer.write(buffer)
    }

    /// `data: <json>`. Clients take every event for an object; what is none is not sent.
    package func data(_ json: JSONValue) async throws {
        guard case .object = json else { return assertionFailure("an event that is no object: \(json.typeName)") }
        var bytes = Array("data: ".utf8)
        json.write(to: &bytes)
        bytes.append(contentsOf: "\n\n".utf8)
        try await write(ByteBuffer(bytes: bytes))
    }

    /// `event: <name>` and `data: <json>`.
    package func event(_ name: String, _ json: JSONValue) async throws {
        guard case .object = json else { return assertionFailure("an event that is no object: \(json.typeName)") }
        try await write(ByteBuffer(string: "event: \(name)\ndata: \(json.jsonText)\n\n"))
    }

    package func done() async throws { try await write(ByteBuffer(string: "data: [DONE]\n\n")) }

    /// A line of JSON.
    package func line(_ json: JSONValue) async throws { try await write(ByteBuffer(bytes: json.jsonBytes + [UInt8(ascii: "\n")])) }

    /// A comment, which clients skip.
    package func comment(_ text: String) async throws { try await write(ByteBuffer(string: ": \(text)\n\n")) }

    /// An error inside a stream whose status has gone out as 200.
    package func failure(_ error: APIError) async throws { try await data(error.json) }

    /// Writes a comment whenever nothing was written for `interval`, so that proxies keep the connection open.
    func keepAlive(every interval: Duration) async throws {
        while true {
            let silence = ContinuousClock.now - lastWrite.withLockedValue { $0 }
            if silence >= interval {
                try await write(ByteBuffer(string: ": keep-alive\n\n"))
            } else {
                try await Task.sleep(for: interval - silence)
            }
        }
    }
}

extension OmniContext {
    /// An event stream whose events `produce` writes. The task ends when the client goes. An error that `produce` throws
    /// becomes an error event and `[DONE]`.
    package func eventStream(ignored: String? = nil, _ produce: @escaping @Sendable (EventSink) async throws -> Void) -> Response {
        stream("text/event-stream; charset=utf-8", ignored: ignored) { sink in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await sink.keepAlive(every: .seconds(15)) }
                defer { group.cancelAll() }
                try await produce(sink)
            }
        } failure: { error, sink in
            try await sink.failure(error)
            try await sink.done()
        }
    }

    /// Lines of JSON that `produce` writes. The task ends when the client goes. An error that `produce` throws becomes a last line, in
    /// the form of this path.
    package func lineStream(
        as shape: ErrorShape, ignored: String? = nil, _ produce: @escaping @Sendable (EventSink) async throws -> Void
    ) -> Response {
        stream("application/x-ndjson", ignored: ignored, produce) { error, sink in try await sink.line(shape.json(error)) }
    }

    private func stream(
        _ type: String, ignored: String?, _ produce: @escaping @Sendable (EventSink) async throws -> Void,
        failure: @escaping @Sendable (APIError, EventSink) async throws -> Void
    ) -> Response {
        var headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache", .xAccelBuffering: "no"]
        if let ignored { headers[.xIgnoredParams] = ignored }
        let body = ResponseBody { [self] writer in
            let sink = EventSink(writer)
            do {
                try await cancelOnDisconnect { try await produce(sink) }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                let (wire, isExpected) = wireError(error, requestID: requestID)
                if !isExpected { requestLogger.error("stream failed", metadata: ["error": "\(error)"]) }
                try await failure(wire, sink)
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }
}
