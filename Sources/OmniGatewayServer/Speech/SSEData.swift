import NIOCore
import OmniAPI
import OmniGateway

/// The data of an event stream's events, up to `[DONE]`.
struct SSEData: AsyncSequence {
    typealias Element = String
    let body: UpstreamBody

    init(_ body: UpstreamBody) { self.body = body }

    struct AsyncIterator: AsyncIteratorProtocol {
        var body: UpstreamBody.AsyncIterator
        var parser = SSEParser()
        var ready: ArraySlice<SSEParser.Item> = []

        mutating func next() async throws -> String? {
            while true {
                while let item = ready.popFirst() {
                    guard case .event(let event) = item else { continue }
                    return event.data == "[DONE]" ? nil : event.data
                }
                guard let more = try await body.next() else { return nil }
                ready = parser.push(more.readableBytesView)[...]
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: body.makeAsyncIterator()) }
}
