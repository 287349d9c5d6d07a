import AsyncHTTPClient
import NIOCore
import OmniAccess

/// A reply's body, chunk by chunk.
public struct UpstreamBody: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    private let body: HTTPClientResponse.Body
    private var lease: OutstandingLease?
    private var onEnd: @Sendable () -> Void = {}
    /// Counts what it costs the key that it is for.
    var meter: UsageMeter?

    init(_ body: HTTPClientResponse.Body) { self.body = body }

    /// The same body, holding `lease` until it has been read or dropped. `onEnd` is called when it has been read to its end.
    func holding(_ lease: OutstandingLease, onEnd: @escaping @Sendable () -> Void = {}) -> UpstreamBody {
        var copy = self
        (copy.lease, copy.onEnd) = (lease, onEnd)
        return copy
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        var iterator: HTTPClientResponse.Body.AsyncIterator
        let lease: OutstandingLease?
        let onEnd: @Sendable () -> Void
        let meter: UsageMeter?
        private var hasEnded = false

        init(
            _ iterator: HTTPClientResponse.Body.AsyncIterator, _ lease: OutstandingLease?, _ meter: UsageMeter?,
            onEnd: @escaping @Sendable () -> Void
        ) {
            (self.iterator, self.lease, self.meter, self.onEnd) = (iterator, lease, meter, onEnd)
        }

        public mutating func next() async throws -> ByteBuffer? {
            guard !hasEnded else { return nil }
            while let chunk = try await iterator.next() {
                guard let meter else { return chunk }
                let passed = meter.take(chunk)
                if passed.readableBytes > 0 { return passed }
            }
            hasEnded = true
            onEnd()
            return meter.map { $0.finish() }.flatMap { $0.readableBytes > 0 ? $0 : nil }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body.makeAsyncIterator(), lease, meter, onEnd: onEnd) }

    /// The whole body, up to `limit` bytes.
    func collect(upTo limit: Int) async throws -> ByteBuffer {
        let whole = try await body.collect(upTo: limit)
        if let meter {
            _ = meter.take(whole)
            _ = meter.finish()
        }
        onEnd()
        return whole
    }
}

extension UpstreamResponse {
    /// Charges what it costs to a key. `strips`: the event that tells a stream's usage was asked for by us, and goes no further.
    mutating func meter(for lease: KeyLease, strips: Bool) {
        let form = UsageReader.Form(contentType: header("content-type"))
        body.meter = UsageMeter(lease, UsageReader(form, strips: strips, length: header("content-length").flatMap { Int($0) }))
        guard strips else { return }
        headers = headers.map { name, value in
            guard name.lowercased() == "x-ignored-params" else { return (name, value) }
            return (name, value.split(separator: ",").filter { $0 != "stream_options" }.joined(separator: ","))
        }.filter { !($0.0.lowercased() == "x-ignored-params" && $0.1.isEmpty) }
    }
}
