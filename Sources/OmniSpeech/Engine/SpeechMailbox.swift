import OmniEngine

/// Events on their way from the synthesis thread to the one task that reads them, and how much of them is still unread: the
/// thread does not run far ahead of a slow reader.
final class SpeechMailbox: Sendable {
    /// Never full: the thread looks at ``unreadSamples`` before it makes more.
    private let queue = BoundedQueue<SpeechEvent>(limit: .max)
    /// Called when the reader has taken something.
    private let onRead: @Sendable () -> Void

    init(onRead: @escaping @Sendable () -> Void) { self.onRead = onRead }

    /// Samples posted and not read yet.
    var unreadSamples: Int { queue.cost }

    func post(_ event: SpeechEvent) {
        if case .audio(let samples) = event { queue.post(event, cost: samples.count) } else { queue.post(event, cost: 0) }
    }

    /// The last event was posted, or nothing more will come because of an error. Only the first end counts.
    func finish(_ end: Result<Void, any Error> = .success(())) { queue.finish(end) }

    /// The next event, nil at the end. Throws `CancellationError` in a cancelled task.
    func next() async throws -> SpeechEvent? {
        defer { onRead() }
        return try await queue.next()
    }

    /// The events as a stream. When the stream is dropped, `onDrop` is called.
    func stream(onDrop: @escaping @Sendable () -> Void) -> AsyncThrowingStream<SpeechEvent, any Error> {
        let dropGuard = DropGuard(mailbox: self, onDrop: onDrop)
        return AsyncThrowingStream { try await dropGuard.mailbox.next() }
    }

    /// Lives as long as the stream.
    private final class DropGuard: Sendable {
        let mailbox: SpeechMailbox
        private let onDrop: @Sendable () -> Void

        init(mailbox: SpeechMailbox, onDrop: @escaping @Sendable () -> Void) {
            self.mailbox = mailbox
            self.onDrop = onDrop
        }

        deinit { onDrop() }
    }
}
