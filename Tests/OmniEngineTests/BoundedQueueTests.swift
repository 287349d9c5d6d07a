import Testing

@testable import OmniEngine

@Suite("A queue between two tasks")
struct BoundedQueueTests {
    @Test("everything comes out in order, and never more is inside than fits", .timeLimit(.minutes(10)), arguments: [1, 3, 1000])
    func order(limit: Int) async throws {
        let queue = BoundedQueue<Int>(limit: limit)
        try await withThrowingTaskGroup(of: [Int].self) { group in
            group.addTask {
                for number in 0..<100 { try await queue.put(number) }
                queue.finish()
                return []
            }
            group.addTask {
                var taken: [Int] = []
                while let number = try await queue.next() { taken.append(number) }
                return taken
            }
            for try await taken in group where !taken.isEmpty { #expect(taken == Array(0..<100)) }
        }
    }

    @Test("who puts in waits for room; one that is larger than all goes into an empty queue", .timeLimit(.minutes(10)))
    func room() async throws {
        let queue = BoundedQueue<String>(limit: 10)
        try await queue.put("large", cost: 100)
        let second = Task { try await queue.put("next", cost: 5) }
        #expect(try await queue.next() == "large")
        try await second.value
        queue.finish()
        try await queue.put("too late")
        #expect(try await queue.next() == "next")
        #expect(try await queue.next() == nil)
    }

    @Test("several may wait for room, each for as much as it needs", .timeLimit(.minutes(10)))
    func severalWait() async throws {
        let queue = BoundedQueue<Int>(limit: 10)
        for number in 0..<10 { queue.post(number) }
        try await queue.waitForRoom(within: 20)
        let putters = (10..<14).map { number in Task { try await queue.put(number) } }
        let looker = Task { try await queue.waitForRoom(cost: 10) }
        await Task.yield()
        var taken: [Int] = []
        while taken.count < 14, let number = try await queue.next() { taken.append(number) }
        for putter in putters { try await putter.value }
        try await looker.value
        #expect(Array(taken[..<10]) == Array(0..<10) && Set(taken) == Set(0..<14))
    }

    @Test("a task that is cancelled waits no longer, on either side", .timeLimit(.minutes(10)))
    func cancelled() async throws {
        let empty = BoundedQueue<Int>(limit: 1), full = BoundedQueue<Int>(limit: 1)
        try await full.put(1)
        let taker = Task { try await empty.next() }, putter = Task { try await full.put(2) }
        await Task.yield()
        taker.cancel()
        putter.cancel()
        await #expect(throws: CancellationError.self) { try await taker.value }
        await #expect(throws: CancellationError.self) { try await putter.value }
        #expect(try await full.next() == 1)
    }

    @Test("the end wakes who waits", .timeLimit(.minutes(10)))
    func ended() async throws {
        let empty = BoundedQueue<Int>(limit: 1), full = BoundedQueue<Int>(limit: 1)
        try await full.put(1)
        let taker = Task { try await empty.next() }, putter = Task { try await full.put(2) }
        await Task.yield()
        empty.finish()
        full.finish()
        #expect(try await taker.value == nil)
        try await putter.value
    }

    @Test("a thread posts without waiting, and sees how much is not taken yet")
    func posted() async throws {
        let queue = BoundedQueue<Int>(limit: 3)
        for number in 1...4 { queue.post(number, cost: 2) }
        #expect(queue.cost == 8)
        #expect(try await queue.next() == 1)
        #expect(queue.cost == 6)
        let waiting = BoundedQueue<Int>(limit: 1)
        let taker = Task { try await waiting.next() }
        waiting.post(7)
        #expect(try await taker.value == 7)
    }

    @Test("a thread blocks until something comes, takes all of it, and is told of the end before what is left", .timeLimit(.minutes(10)))
    func thread() async throws {
        let queue = BoundedQueue<Int>(limit: 3)
        let taken = Task { try await BlockingThread.run(name: "taker") { queue.take() } }
        #expect(queue.offer(1) == .accepted)
        #expect(try await taken.value == [1])
        for number in 2...4 { #expect(queue.offer(number) == .accepted) }
        #expect(queue.offer(5) == .full(3))
        #expect(queue.take(most: 1) == [2] && queue.take(waiting: false) == [3, 4] && queue.take(waiting: false) == [])
        let late = Task { try await BlockingThread.run(name: "late") { queue.take(until: .now + .milliseconds(1)) } }
        #expect(try await late.value == [])
        let ended = Task { try await BlockingThread.run(name: "ended") { queue.take() } }
        queue.finish()
        #expect(try await ended.value == nil)
        #expect(queue.offer(2) == .finished)
        #expect(queue.take() == nil && queue.drain().isEmpty)
    }

    @Test("what was taken counts until it is released, where it is to")
    func released() {
        let queue = BoundedQueue<Int>(limit: 3, countsTaken: true)
        #expect(queue.offer(1, cost: 2) == .accepted && queue.offer(2, cost: 2) == .full(2))
        #expect(queue.take() == [1] && queue.offer(3, cost: 2) == .full(2))
        queue.release(cost: 2)
        #expect(queue.offer(4, cost: 2) == .accepted)
        queue.finish()
        #expect(queue.take() == nil && queue.drain() == [4])
    }

    @Test("an end with an error is thrown once all has been taken, and only the first end counts")
    func failed() async throws {
        struct Fault: Error {}
        let queue = BoundedQueue<Int>(limit: 3)
        queue.post(1)
        queue.finish(.failure(Fault()))
        queue.finish()
        queue.post(2)
        #expect(try await queue.next() == 1)
        await #expect(throws: Fault.self) { _ = try await queue.next() }
    }
}
