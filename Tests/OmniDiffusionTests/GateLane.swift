import Foundation
import OmniEngine

@testable import OmniDiffusion

/// A lane that a test closes: nobody gets a turn until it is opened.
// Guarded by `condition`.
final class GateLane: ComputeLane, @unchecked Sendable {
    private let condition = NSCondition()
    /// Turns that are left; nil: any number.
    private var turns: Int?

    func acquire() {
        condition.withLock {
            while turns == 0 { condition.wait() }
            turns = turns.map { $0 - 1 }
        }
    }

    func release() {}

    func close(after turns: Int) { condition.withLock { self.turns = turns } }

    func open() {
        condition.withLock {
            turns = nil
            condition.broadcast()
        }
    }

    /// Shuts the engine down, and opens once it takes nothing more: what it ran has been cancelled by then.
    func openOnceStopped(_ engine: DiffusionEngine) async {
        async let stopped: Void = engine.shutdown()
        while (try? await engine.price(EngineTests.request())) != nil { await Task.yield() }
        open()
        await stopped
    }
}
