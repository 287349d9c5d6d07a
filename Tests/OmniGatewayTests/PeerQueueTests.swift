import Testing

@testable import OmniGateway

@Suite struct PeerQueueTests {
    @Test func pausesDoubleUpToALimit() {
        var (queue, now, pauses) = (PeerQueue(), 0.0, [Double]())
        #expect(queue.isOpen(now: 0) && queue.opens(after: 0) == nil)
        for _ in 0..<9 {
            queue.began()
            queue.refused(now: now, retryAfter: nil)
            let opens = queue.opens(after: now) ?? -1
            #expect(!queue.isOpen(now: now) && queue.isOpen(now: opens))
            pauses.append(opens - now)
            now = opens
        }
        #expect(pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300] && queue.refusedSince == 0)
        queue.accepted()
        #expect(queue == PeerQueue())
    }

    @Test func whatThePeerAsksForCountsWithinReason() {
        var queue = PeerQueue()
        queue.refused(now: 100, retryAfter: 47)
        #expect(queue.opens(after: 100) == 147)
        queue.refused(now: 147, retryAfter: 1)
        #expect(queue.opens(after: 147) == 157, "less than our own pause is not enough")
        queue.refused(now: 157, retryAfter: 1e9)
        #expect(queue.opens(after: 157) == 3757)
    }

    @Test func refusalsOfOneMomentAreOne() {
        var queue = PeerQueue()
        for _ in 0..<8 { queue.refused(now: 10, retryAfter: nil) }
        #expect(queue.opens(after: 10) == 15)
        queue.refused(now: 15, retryAfter: nil)
        #expect(queue.opens(after: 15) == 25)
    }

    @Test func oneJobAtATimeFindsOut() {
        var queue = PeerQueue()
        queue.refused(now: 0, retryAfter: nil)
        queue.began()
        #expect(!queue.isOpen(now: 1000) && queue.opens(after: 0) == nil)
        queue.withdrawn()
        #expect(queue.isOpen(now: 1000))
    }
}
