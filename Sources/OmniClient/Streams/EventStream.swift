import OmniAPI

/// What a server sends piece by piece. Leaving the loop, or cancelling its task, closes the request.
///
/// It can be read once. Errors are ``OmniError``, also those that the server reports in the middle of the stream.
public struct EventStream<Element: Sendable>: AsyncSequence, Sendable {
    /// What one item of the wire means.
    enum Step: Sendable {
        case elements([Element])
        case end
    }

    /// The server's log has the request under it.
    public let requestID: String?
    private let chunks: Reply.Chunks
    private let isEventStream: Bool
    private let read: @Sendable (SSEParser.Item) throws -> Step
    private let readWhole: @Sendable (JSONValue) throws -> [Element]

    /// - Parameters:
    ///   - read: what an event or a comment means.
    ///   - whole: what a plain JSON reply means, from servers that do not stream here.
    init(
        _ reply: Reply, read: @escaping @Sendable (SSEParser.Item) throws -> Step,
        whole: @escaping @Sendable (JSONValue) throws -> [Element]
    ) {
        requestID = reply.requestID
        chunks = reply.chunks
        isEventStream = reply.isEventStream
        self.read = read
        readWhole = whole
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let stream: EventStream
        private var chunks: Reply.Chunks.AsyncIterator
        private var parser = SSEParser()
        private var ready: ArraySlice<Element> = []
        private var isOver = false

        init(_ stream: EventStream) {
            self.stream = stream
            chunks = stream.chunks.makeAsyncIterator()
        }

        public mutating func next() async throws -> Element? {
            while true {
                if let element = ready.popFirst() { return element }
                if isOver { return nil }
                if !stream.isEventStream {
                    var body: [UInt8] = []
                    while let chunk = try await chunks.next() { body += chunk }
                    isOver = true
                    ready = try stream.whole(body)[...]
                    continue
                }
                guard let chunk = try await chunks.next() else {
                    isOver = true
                    continue
                }
                for item in parser.push(chunk) {
                    switch try stream.step(item) {
                    case .elements(let elements): ready += elements
                    case .end: isOver = true
                    }
                    if isOver { break }
                }
            }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    private func step(_ item: SSEParser.Item) throws -> Step {
        do {
            return try read(item)
        } catch var error as OmniError {
            error.requestID = error.requestID ?? requestID
            throw error
        } catch let error as APIError {
            throw OmniError(.unreadable, "An event is not what was expected: \(error.fullMessage)", requestID: requestID)
        } catch is JSONSyntaxError {
            throw OmniError(.unreadable, "An event is not JSON.", requestID: requestID)
        }
    }

    private func whole(_ body: [UInt8]) throws -> [Element] {
        do {
            return try readWhole(try JSONValue.parse(body))
        } catch let error as OmniError {
            throw error
        } catch {
            throw OmniError(.unreadable, "The reply is neither a stream of events nor what it stands for.", requestID: requestID)
        }
    }
}

extension EventStream {
    /// A stream of JSON events that `[DONE]` ends; comments are passed over, and an `error` member is thrown.
    init(
        _ reply: Reply, decode: @escaping @Sendable (ServerEvent, JSONValue) throws -> [Element],
        whole: @escaping @Sendable (JSONValue) throws -> [Element]
    ) {
        self.init(
            reply,
            read: { item in
                guard case .event(let event) = item else { return .elements([]) }
                guard event.data != "[DONE]" else { return .end }
                let json = try JSONValue.parse(event.data)
                if let error = json["error"], !error.isNull, json["type"]?.stringValue?.hasPrefix("speech.") != true,
                    json["object"] != "video"
                {
                    throw OmniError(json: json, status: nil, requestID: nil)
                }
                return .elements(try decode(event, json))
            },
            whole: whole)
    }
}
