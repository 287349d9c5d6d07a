internal import AsyncHTTPClient
import Foundation
internal import NIOCore
internal import NIOHTTP1
import OmniAPI

/// A reply whose head has come.
struct Reply: Sendable {
    let status: Int
    private let response: HTTPClientResponse

    init(_ response: HTTPClientResponse) {
        self.response = response
        status = Int(response.status.code)
    }

    func header(_ name: String) -> String? { response.headers.first(name: name) }

    var requestID: String? { header("x-request-id") }
    var isEventStream: Bool { (header("content-type") ?? "").lowercased().hasPrefix("text/event-stream") }
    /// Bytes of the body, where the server says it.
    var length: Int? { header("content-length").flatMap { Int($0) } }

    var chunks: Chunks { Chunks(body: response.body) }

    /// The body, whole.
    func collect(upTo limit: Int = 1 << 30) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        if let length { bytes.reserveCapacity(min(length, limit)) }
        for try await chunk in chunks {
            bytes += chunk
            guard bytes.count <= limit else {
                throw OmniError(.unreadable, "The reply has more than \(limit) bytes.", status: status, requestID: requestID)
            }
        }
        return bytes
    }

    func decode<Value: WireObject>(_ bytes: [UInt8]) throws -> Value {
        do {
            return try Value(json: try JSONValue.parse(bytes), at: .root("reply"))
        } catch {
            let reason = (error as? APIError)?.fullMessage ?? "it is not JSON"
            throw OmniError(.unreadable, "The reply is not what was expected: \(reason)", status: status, requestID: requestID)
        }
    }

    /// The body as it comes. A connection that breaks is ``OmniError/Kind/interrupted``.
    struct Chunks: AsyncSequence, Sendable {
        let body: HTTPClientResponse.Body

        struct AsyncIterator: AsyncIteratorProtocol {
            var body: HTTPClientResponse.Body.AsyncIterator

            mutating func next() async throws -> [UInt8]? {
                do {
                    if let chunk = try await body.next() { return Array(chunk.readableBytesView) }
                } catch {
                    try Task.checkCancellation()
                    if error is CancellationError { throw error }
                    throw OmniError(.interrupted, "The connection broke in the middle of the reply.")
                }
                // A cancelled request ends its body as if it were whole.
                try Task.checkCancellation()
                return nil
            }
        }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: body.makeAsyncIterator()) }
    }
}
