import Testing

@testable import OmniGatewayServer

@Suite(.timeLimit(.minutes(10))) struct ShutdownLimitTests {
    @Test("work that never ends is left alone once its time is over") func overrun() async throws {
        let limit = ShutdownLimit(.milliseconds(20))
        await #expect(throws: ShutdownLimit.Overrun.self) {
            try await limit.run {
                limit.begin()
                limit.begin()
                // Deaf to cancellation, and never resumed.
                await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
            }
        }
    }

    @Test("before it is told to stop, time does not run; work that ends in time ends so") func inTime() async throws {
        try await ShutdownLimit(.zero).run { for _ in 0..<100 { await Task.yield() } }
        let limit = ShutdownLimit(.seconds(3600))
        struct Fault: Error {}
        await #expect(throws: Fault.self) {
            try await limit.run {
                limit.begin()
                throw Fault()
            }
        }
    }

    @Test("cancellation reaches the work") func cancellation() async throws {
        let task = Task { try await ShutdownLimit(.seconds(3600)).run { try await Task.sleep(for: .seconds(3600)) } }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
