import OmniEngine
import Synchronization

/// Events on their way from the synthesis thread to the one task that reads them, and how much of them is still unread: the
/// thread does not run far ahead of a slow reader.
final class SpeechMailbox: Sendable {
    private struct State {
        var events: [SpeechEvent] = []
        var taken = 0
        var unreadSamples = 0
        var end: Result<Void, any Error>?
        var reader: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    /// Called when the reader has taken something.
    private let onRead: @Sendable () -> Void

    init(onRead: @escaping @Sendable () -> Void) { self.onRead = onRead }

    /// Samples posted and not read yet.
    var unreadSamples: Int { state.withLock { $0.unreadSamples } }

    func post(_ event: SpeechEvent) {
        wake {
            guard $0.end == nil else { return }
            $0.events.append(event)
            if case .audio(let samples) = event { $0.unreadSamples += samples.count }
        }
    }

    /// The last event was posted, or nothing more will come because of an error. Only the first end counts.
    func finish(_ end: Result<Void, any Error> = .success(())) {
        wake { if $0.end == nil { $0.end = end } }
    }

    private func wake(_ change: (inout State) -> Void) {
        let reader = state.withLock { state in
            change(&state)
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    /// The next event, nil at the end. Throws `CancellationError` in a cancelled task.
    func next() async throws -> SpeechEvent? {
        while true {
            if Task.isCancelled { throw CancellationError() }
            if let result = take() {
                onRead()
                return try result.get()
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        if state.taken < state.events.count || state.end != nil || Task.isCancelled { return true }
                        state.reader = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                wake { _ in }
            }
        }
    }

    /// nil: nothing there yet.
    private func take() -> Result<SpeechEvent?, any Error>? {
        state.withLock { state in
            guard state.taken < state.events.count else {
                return state.end.map { end in end.map { nil } }
            }
            let event = state.events[state.taken]
            state.taken += 1
            if state.taken == state.events.count || state.taken > 256 {
                state.events.removeFirst(state.taken)
                state.taken = 0
            }
            if case .audio(let samples) = event { state.unreadSamples -= samples.count }
            return .success(event)
        }
    }

    /// The events as a stream. When the stream is dropped, `onDrop` is called.
    func stream(onDrop: @escaping @Sendable () -> Void) -> AsyncThrowingStream<SpeechEvent, any Error> {
        let guardian = Guardian(mailbox: self, onDrop: onDrop)
        return AsyncThrowingStream { try await guardian.mailbox.next() }
    }

    /// Lives as long as the stream.
    private final class Guardian: Sendable {
        let mailbox: SpeechMailbox
        private let onDrop: @Sendable () -> Void

        init(mailbox: SpeechMailbox, onDrop: @escaping @Sendable () -> Void) {
            self.mailbox = mailbox
            self.onDrop = onDrop
        }

        deinit { onDrop() }
    }
}
