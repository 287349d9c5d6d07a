import Synchronization

/// Ends the waiting for work that has been told to end and does not.
///
/// A cancelled task ends when its code looks, which code outside our hands may never do: a server would then hang at its end, and
/// be killed in the middle of something else.
final class ShutdownLimit: Sendable {
    /// The work was still running when its time was over. It goes on; nobody waits for it any more.
    struct Overrun: Error {}

    private let limit: Duration
    private let state = Mutex<AsyncStream<Void>.Continuation?>(nil)

    /// - Parameter limit: the longest time from ``begin()`` on.
    init(_ limit: Duration) { self.limit = limit }

    /// From now on the time runs. Harmless when called again.
    func begin() {
        guard
            let over = state.withLock({ state in
                defer { state = nil }; return state
            })
        else { return }
        Task { [limit] in
            try? await Task.sleep(for: limit)
            over.finish()
        }
    }

    /// Runs `work` to its end or, once the time has begun and is over, throws ``Overrun``. To be called once.
    func run(_ work: @escaping @Sendable () async throws -> Void) async throws {
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        state.withLock { $0 = end }
        let box = ResultBox()
        let task = Task {
            do {
                try await work()
                box.set(.success(()))
            } catch { box.set(.failure(error)) }
            end.finish()
        }
        // Ends with the work or with the time, whichever is first; cancellation is the work's to answer.
        await withTaskCancellationHandler {
            await Task { for await _ in ends {} }.value
        } onCancel: {
            task.cancel()
        }
        guard let result = box.result else {
            task.cancel()
            throw Overrun()
        }
        try result.get()
    }

    private final class ResultBox: Sendable {
        private let value = Mutex<Result<Void, any Error>?>(nil)
        var result: Result<Void, any Error>? { value.withLock { $0 } }
        func set(_ result: Result<Void, any Error>) { value.withLock { $0 = result } }
    }
}
