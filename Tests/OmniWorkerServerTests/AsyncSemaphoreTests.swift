import OmniAPI
import Synchronization
import Testing

@testable import OmniWorkerServer

@Suite struct AsyncSemaphoreTests {
    private final class Order: Sendable {
        let numbers = Mutex<[Int]>([])
    }

    /// Waits for a condition, at most ten seconds.
    static func wait(_ condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while !condition() {
            try #require(ContinuousClock.now < deadline)
            await Task.yield()
        }
    }

    @Test func turnsComeInOrder() async throws {
        let semaphore = AsyncSemaphore()
        var first: Permit? = try await semaphore.enter(limit: 8)
        let order = Order()
        var waiters: [Task<Void, any Error>] = []
        for number in 0..<5 {
            waiters.append(
                Task {
                    let turn = try await semaphore.enter(limit: 8)
                    order.numbers.withLock { $0.append(number) }
                    withExtendedLifetime(turn) {}
                })
            try await Self.wait { semaphore.waiting == number + 1 }
        }
        withExtendedLifetime(first) {}
        first = nil
        for waiter in waiters { try await waiter.value }
        #expect(order.numbers.withLock { $0 } == [0, 1, 2, 3, 4])
        #expect(!semaphore.isBusy)
    }

    @Test func whoLeavesGivesThePlaceUp() async throws {
        let semaphore = AsyncSemaphore()
        var first: Permit? = try await semaphore.enter(limit: 2)
        let leaver = Task { _ = try await semaphore.enter(limit: 2) }
        try await Self.wait { semaphore.waiting == 1 }
        let stayer = Task { _ = try await semaphore.enter(limit: 2) }
        try await Self.wait { semaphore.waiting == 2 }
        leaver.cancel()
        await #expect(throws: CancellationError.self) { try await leaver.value }
        #expect(semaphore.waiting == 1)
        withExtendedLifetime(first) {}
        first = nil
        try await stayer.value
        #expect(!semaphore.isBusy)
    }

    @Test func aFullQueueIsRefusedAtOnce() async throws {
        let semaphore = AsyncSemaphore()
        let first = try await semaphore.enter(limit: 0)
        do {
            _ = try await semaphore.enter(limit: 0)
            Issue.record("entered a full queue")
        } catch let error as APIError {
            #expect(error.status == 503)
            #expect((error.retryAfter ?? 0) >= 1)
        }
        withExtendedLifetime(first) {}
    }
}
