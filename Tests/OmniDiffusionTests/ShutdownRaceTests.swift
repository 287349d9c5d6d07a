import OmniEngine
import OmniTestSupport
import Testing

@testable import OmniDiffusion

/// A request either comes before the shutdown, which cancels it, or after it, and is refused: none is queued behind it and runs on.
@Suite(.timeLimit(.minutes(10))) struct ShutdownRaceTests {
    @Test func requestsThatComeDuringAShutdownEnd() async throws {
        for _ in 0..<20 {
            let lane = GateLane()
            let engine = try await EngineTests.engine(lane: lane)
            lane.close(after: 200)
            await withTaskGroup(of: Bool.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        do {
                            for try await _ in try await engine.generate(
                                EngineTests.request(seed: UInt64(number), steps: 1000), scope: RequestScope(id: "\(number)"))
                            {}
                            return false
                        } catch {
                            return true
                        }
                    }
                }
                await lane.openOnceStopped(engine)
                for await ended in group { #expect(ended, "a request ran to its end after the shutdown") }
            }
        }
    }
}
