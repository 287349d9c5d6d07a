import Testing

@testable import OmniGatewayServer

@Suite("How long a session may be silent")
struct SilenceWatchTests {
    private let start = ContinuousClock.now

    private func expect(_ watch: SilenceWatch, _ wait: SilenceWatch.Wait, at seconds: Int, _ place: SourceLocation = #_sourceLocation) {
        #expect(watch.deadline.wait == wait && watch.deadline.at == start + .seconds(seconds), sourceLocation: place)
    }

    @Test("before its first message, between messages, and not while it speaks")
    func limits() {
        var watch = SilenceWatch(now: start)
        expect(watch, .configuration, at: 10)
        watch.began(at: start + .seconds(1))
        watch.ended(at: start + .seconds(1), isConfigured: true)
        expect(watch, .message, at: 31)
        // A long text: nothing else comes for a minute and a half, and sound goes out all the while.
        watch.began(at: start + .seconds(5))
        for second in stride(from: 10, to: 100, by: 10) {
            watch.progressed(at: start + .seconds(second))
            #expect(watch.deadline.at > start + .seconds(second) + .seconds(60) && watch.deadline.wait == .progress)
        }
        watch.ended(at: start + .seconds(95), isConfigured: true)
        expect(watch, .message, at: 125)
    }

    @Test("a first message that is refused does not count as one")
    func refused() {
        var watch = SilenceWatch(now: start)
        watch.began(at: start + .seconds(1))
        watch.ended(at: start + .seconds(2), isConfigured: false)
        expect(watch, .configuration, at: 12)
    }

    @Test("a client that takes nothing of what is spoken is not waited for for ever")
    func stalled() {
        var watch = SilenceWatch(now: start)
        watch.began(at: start)
        expect(watch, .progress, at: 300)
    }
}
