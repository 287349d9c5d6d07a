import Foundation
import Synchronization

/// A thread that owns C state: makes it, works with it until it is told to stop, and frees it.
final class EngineThread: Sendable {
    private let onStop: @Sendable () -> Void
    private let life = Life()

    /// `make` runs on the new thread and returns the work to do there; this waits for it, and throws what it throws.
    /// `onStop` makes the work end.
    init(name: String, onStop: @escaping @Sendable () -> Void, make: @escaping @Sendable () throws -> () -> Void) throws {
        self.onStop = onStop
        let life = life
        let ready = DispatchSemaphore(value: 0)
        let thread = Thread {
            do {
                let work = try make()
                ready.signal()
                work()
            } catch {
                life.fail(error)
                ready.signal()
            }
            life.end()
        }
        thread.name = name
        thread.stackSize = 8 << 20
        thread.start()
        ready.wait()
        if let error = life.error { throw error }
    }

    deinit { onStop() }

    /// Ends the work and waits for the thread to have freed what it held.
    func stop() async {
        onStop()
        await life.over()
    }

    /// What the thread and its owner both know.
    private final class Life: Sendable {
        private struct State {
            var error: (any Error)?
            var ended = false
            var waiters: [CheckedContinuation<Void, Never>] = []
        }

        private let state = Mutex(State())

        var error: (any Error)? { state.withLock { $0.error } }
        func fail(_ error: any Error) { state.withLock { $0.error = error } }

        func end() {
            let waiters = state.withLock { state in
                state.ended = true
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }

        func over() async {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if !state.ended { state.waiters.append(continuation) }
                    return state.ended
                }
                if isOver { continuation.resume() }
            }
        }
    }
}
