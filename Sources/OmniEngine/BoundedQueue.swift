import Synchronization

/// Elements on their way to one task, no more of them than fit: a task that puts in waits for room, a thread looks for itself
/// (``cost``) before it posts.
///
/// One puts in, one takes out.
package final class BoundedQueue<Element: Sendable>: Sendable {
    private typealias Waiter = CheckedContinuation<Void, Never>

    private struct State {
        var elements: [(element: Element, cost: Int)] = []
        var cost = 0
        /// How it ended.
        var end: Result<Void, any Error>?
        var producer: Waiter?
        var consumer: Waiter?

        /// One that is larger than the queue has room in an empty one.
        func hasRoom(for more: Int, within limit: Int) -> Bool { elements.isEmpty || cost + more <= limit }
    }

    private let state = Mutex(State())
    private let limit: Int

    /// - Parameter limit: of the costs of all elements together.
    package init(limit: Int) { self.limit = limit }

    /// The costs of the elements that wait to be taken.
    package var cost: Int { state.withLock { $0.cost } }

    /// Waits for room. What is put in after the end is dropped. Throws `CancellationError`.
    package func put(_ element: Element, cost: Int = 1) async throws {
        while true {
            try Task.checkCancellation()
            let (isDone, consumer) = state.withLock { state -> (Bool, Waiter?) in
                guard state.end == nil else { return (true, nil) }
                guard state.hasRoom(for: cost, within: limit) else { return (false, nil) }
                state.elements.append((element, cost))
                state.cost += cost
                defer { state.consumer = nil }
                return (true, state.consumer)
            }
            consumer?.resume()
            if isDone { return }
            await wait(asProducer: true) { $0.end != nil || $0.hasRoom(for: cost, within: self.limit) }
        }
    }

    /// Puts in without waiting, whether there is room or not: for a thread, which must not wait. What comes after the end is dropped.
    package func post(_ element: Element, cost: Int = 1) {
        let consumer = state.withLock { state -> Waiter? in
            guard state.end == nil else { return nil }
            state.elements.append((element, cost))
            state.cost += cost
            defer { state.consumer = nil }
            return state.consumer
        }
        consumer?.resume()
    }

    /// The next element; nil once the queue is finished and empty. Throws `CancellationError`, and at the end the error that it was
    /// finished with.
    package func next() async throws -> Element? {
        while true {
            try Task.checkCancellation()
            let (found, end, producer) = state.withLock { state -> (Element?, Result<Void, any Error>?, Waiter?) in
                guard let (element, cost) = state.elements.first else { return (nil, state.end, nil) }
                state.elements.removeFirst()
                state.cost -= cost
                defer { state.producer = nil }
                return (element, nil, state.producer)
            }
            producer?.resume()
            if let found { return found }
            if let end {
                try end.get()
                return nil
            }
            await wait(asProducer: false) { $0.end != nil || !$0.elements.isEmpty }
        }
    }

    /// Nothing more will come; what is in the queue can still be taken. Only the first end counts.
    package func finish(_ end: Result<Void, any Error> = .success(())) {
        state.withLock { if $0.end == nil { $0.end = end } }
        wakeAll()
    }

    /// Returns when there may be something to do, or the task was cancelled.
    private func wait(asProducer: Bool, until isReady: (State) -> Bool) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if isReady(state) || Task.isCancelled { return true }
                    if asProducer { state.producer = continuation } else { state.consumer = continuation }
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            wakeAll()
        }
    }

    /// Both look again.
    private func wakeAll() {
        let waiters = state.withLock { state in
            defer { (state.producer, state.consumer) = (nil, nil) }
            return [state.producer, state.consumer]
        }
        for waiter in waiters { waiter?.resume() }
    }
}
