import Foundation
import OmniEngine

/// A lane that a test closes: nobody gets a turn until it is opened.
// Guarded by `condition`.
package final class GateLane: ComputeLane, @unchecked Sendable {
    private let condition = NSCondition()
    /// Turns that are left; nil: any number.
    private var turns: Int?

    package init() {}

    package func acquire() {
        condition.withLock {
            while turns == 0 { condition.wait() }
            turns = turns.map { $0 - 1 }
        }
    }

    package func release() {}

    package func close(after turns: Int) { condition.withLock { self.turns = turns } }

    package func open() {
        condition.withLock {
            turns = nil
            condition.broadcast()
        }
    }
}
