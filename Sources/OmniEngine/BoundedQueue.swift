import Foundation

/// Elements on their way to one that takes them, a task (``next()``) or a thread (``take(most:waiting:until:)``); no more of them than fit.
///
/// Who puts in waits for room (``put(_:cost:)``), is refused (``offer(_:cost:)``), or looks for itself (``cost``) before it posts. One takes
/// out; any number put in.
///
/// Unchecked: `state` is guarded by `condition`.
package final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    private typealias Waiter = CheckedContinuation<Void, Never>

    private struct State {
        var elements: [(element: Element, cost: Int)] = []
        var cost = 0
        /// How it ended.
        var end: Result<Void, any Error>?
        var producers: [Waiter] = []
        var consumer: Waiter?

        /// One that is larger than the queue has room in an empty one.
        func hasRoom(for more: Int, within limit: Int) -> Bool { cost == 0 || cost + more <= limit }
    }

    /// What became of an element that does not wait for room.
    package enum Outcome: Sendable, Equatable {
        case accepted
        /// With the costs of those that are there.
        case full(Int)
        case finished
    }

    private let condition = NSCondition()
    private var state = State()
    private let limit: Int
    private let countsTaken: Bool

    /// - Parameters:
    ///   - limit: of the costs of all elements together.
    ///   - countsTaken: those that were taken count until they are released.
    package init(limit: Int, countsTaken: Bool = false) { (self.limit, self.countsTaken) = (limit, countsTaken) }

    /// The costs of the elements that wait to be taken, or are not released.
    package var cost: Int { withState { $0.cost } }

    /// Waits for room. What is put in after the end is dropped. Throws `CancellationError`.
    package func put(_ element: Element, cost: Int = 1) async throws {
        while true {
            try Task.checkCancellation()
            guard case .full = offer(element, cost: cost) else { return }
            try await waitForRoom(cost: cost)
        }
    }

    /// Returns when an element would have room, or at the end: for one who makes it only then, and posts it. Throws `CancellationError`.
    ///
    /// - Parameter most: counts as full from here on, instead of at the queue's own limit.
    package func waitForRoom(cost: Int = 1, within most: Int? = nil) async throws {
        func isOver(_ state: State) -> Bool { state.end != nil || state.hasRoom(for: cost, within: most ?? limit) }
        while !withState({ isOver($0) }) {
            try Task.checkCancellation()
            await wait(asProducer: true, until: isOver)
        }
    }

    /// Puts in if there is room.
    package func offer(_ element: Element, cost: Int = 1) -> Outcome {
        let (outcome, consumer) = withState { state -> (Outcome, Waiter?) in
            guard state.end == nil else { return (.finished, nil) }
            guard state.hasRoom(for: cost, within: limit) else { return (.full(state.cost), nil) }
            return (.accepted, append(element, cost, to: &state))
        }
        consumer?.resume()
        return outcome
    }

    /// Puts in without waiting, whether there is room or not: for a thread, which must not wait. What comes after the end is dropped.
    package func post(_ element: Element, cost: Int = 1) {
        let consumer = withState { state in state.end == nil ? append(element, cost, to: &state) : nil }
        consumer?.resume()
    }

    /// The next element; nil once the queue is finished and empty. Throws `CancellationError`, and at the end the error that it was
    /// finished with.
    package func next() async throws -> Element? {
        while true {
            try Task.checkCancellation()
            let (found, end, producers) = withState { state in (removeFirst(1, from: &state).first, state.end, takeProducers(of: &state)) }
            for producer in producers { producer.resume() }
            if let found { return found }
            if let end {
                try end.get()
                return nil
            }
            await wait(asProducer: false) { $0.end != nil || !$0.elements.isEmpty }
        }
    }

    /// The first elements, as many as are there and asked for; nil as soon as the queue is finished, whatever is left in it (``drain()``).
    /// With `waiting` it blocks the thread while there are none, until `deadline` at most.
    package func take(most: Int = .max, waiting: Bool = true, until deadline: ContinuousClock.Instant? = nil) -> [Element]? {
        condition.lock()
        while waiting, state.elements.isEmpty, state.end == nil, block(until: deadline) {}
        let taken = state.end == nil ? removeFirst(most, from: &state) : nil
        let producers = takeProducers(of: &state)
        condition.unlock()
        for producer in producers { producer.resume() }
        return taken
    }

    /// All elements that are there, for a thread, which it blocks while there are none; nil once the queue is finished and empty. Throws
    /// what the queue was finished with, at once.
    package func takeAll() throws -> [Element]? {
        condition.lock()
        while state.elements.isEmpty, state.end == nil { condition.wait() }
        let end = state.end
        let taken = removeFirst(.max, from: &state)
        let producers = takeProducers(of: &state)
        condition.unlock()
        for producer in producers { producer.resume() }
        try end?.get()
        return taken.isEmpty ? nil : taken
    }

    /// What is left after the end.
    package func drain() -> [Element] { withState { removeFirst(.max, from: &$0) } }

    /// Elements that were taken count no more.
    package func release(cost: Int) {
        let producers = withState { state in
            state.cost -= cost
            return takeProducers(of: &state)
        }
        for producer in producers { producer.resume() }
    }

    /// Nothing more will come; what is in the queue can still be taken. Only the first end counts.
    package func finish(_ end: Result<Void, any Error> = .success(())) {
        withState { if $0.end == nil { $0.end = end } }
        wakeAll()
    }

    private func withState<Value>(_ body: (inout State) -> Value) -> Value { condition.withLock { body(&state) } }

    private func append(_ element: Element, _ cost: Int, to state: inout State) -> Waiter? {
        state.elements.append((element, cost))
        state.cost += cost
        condition.signal()
        defer { state.consumer = nil }
        return state.consumer
    }

    private func removeFirst(_ most: Int, from state: inout State) -> [Element] {
        let taken = state.elements.prefix(most)
        state.elements.removeFirst(taken.count)
        if !countsTaken { state.cost -= taken.reduce(0) { $0 + $1.cost } }
        return taken.map(\.element)
    }

    private func takeProducers(of state: inout State) -> [Waiter] {
        defer { state.producers = [] }
        return state.producers
    }

    /// With `condition` locked: waits for a signal; false once the deadline is over.
    private func block(until deadline: ContinuousClock.Instant?) -> Bool {
        guard let deadline else {
            condition.wait()
            return true
        }
        let left = (deadline - .now).seconds
        return left > 0 && condition.wait(until: Date(timeIntervalSinceNow: left))
    }

    /// Returns when there may be something to do, or the task was cancelled.
    private func wait(asProducer: Bool, until isReady: (State) -> Bool) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = withState { state in
                    if isReady(state) || Task.isCancelled { return true }
                    if asProducer { state.producers.append(continuation) } else { state.consumer = continuation }
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            wakeAll()
        }
    }

    /// All look again.
    private func wakeAll() {
        let waiters = withState { state in
            condition.broadcast()
            defer { (state.producers, state.consumer) = ([], nil) }
            return state.producers + (state.consumer.map { [$0] } ?? [])
        }
        for waiter in waiters { waiter.resume() }
    }
}
