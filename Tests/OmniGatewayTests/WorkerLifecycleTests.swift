import Testing

@testable import OmniGateway

@Suite("Life of a worker")
struct WorkerLifecycleTests {
    /// A lifecycle after these events.
    private func after(_ events: WorkerLifecycle.Event...) -> WorkerLifecycle {
        var life = WorkerLifecycle()
        for event in events { _ = life.handle(event) }
        return life
    }

    private let crash = WorkerLifecycle.Event.exited(WorkerEnd(.signal(9)), servedFor: .seconds(1), hasAnswered: true)
    private let broken = WorkerLifecycle.Event.exited(WorkerEnd(.signal(4)), servedFor: .seconds(1), hasAnswered: false)

    @Test("it starts, loads and serves")
    func start() {
        var life = WorkerLifecycle()
        #expect(life.state == .asleep)
        #expect(life.handle(.wakeRequested) == [.spawn(nil)])
        #expect(life.state == .loading(0))
        #expect(life.handle(.progress(0.4)) == [])
        #expect(life.state == .loading(0.4))
        #expect(life.handle(.loaded) == [])
        #expect(life.state == .ready)
    }

    @Test("progress stays between 0 and 1")
    func progress() {
        #expect(after(.wakeRequested, .progress(7)).state == .loading(1))
        #expect(after(.wakeRequested, .progress(-1)).state == .loading(0))
    }

    @Test("a second wake starts no second process")
    func wakeTwice() {
        var life = after(.wakeRequested)
        #expect(life.handle(.wakeRequested) == [])
        life = after(.wakeRequested, .loaded)
        #expect(life.handle(.wakeRequested) == [])
        #expect(life.state == .ready)
    }

    @Test("sleep ends a process that loads, wake starts it again")
    func sleepWhileLoading() {
        var life = after(.wakeRequested)
        #expect(life.handle(.sleepRequested) == [.stopProcess])
        #expect(life.handle(crash) == [])
        #expect(life.state == .asleep)
        #expect(life.handle(.requestArrived) == [.spawn(nil)])
    }

    @Test("a wake while the process ends waits for its end, so that two never run at once")
    func wakeWhileStopping() {
        var life = after(.wakeRequested, .loaded, .sleepRequested, .drained)
        #expect(life.handle(.requestArrived) == [])
        #expect(life.handle(crash) == [.spawn(nil)])
        #expect(life.state == .loading(0))
    }

    @Test("it sleeps when its requests have ended; whoever asks meanwhile keeps it awake")
    func drain() {
        var life = after(.wakeRequested, .loaded)
        #expect(life.handle(.sleepRequested) == [.watchDrain])
        #expect(life.state == .draining)
        #expect(life.handle(.sleepRequested) == [])
        #expect(life.handle(.drained) == [.stopProcess])
        #expect(life.handle(crash) == [])
        #expect(life.state == .asleep)

        life = after(.wakeRequested, .loaded, .sleepRequested)
        #expect(life.handle(.requestArrived) == [])
        #expect(life.state == .ready)
        #expect(life.handle(.drained) == [])
        #expect(life.state == .ready)
        #expect(after(.wakeRequested, .loaded, .sleepRequested, crash).state == .asleep)
        #expect(after(.wakeRequested, .loaded, .sleepRequested, .shutdownRequested).state == .shutDown(isEnding: true))
    }

    @Test("what a stopping process still says does not count")
    func lateWords() {
        for word in [WorkerLifecycle.Event.loaded, .progress(0.9), .loadFailed(reason: "x"), .foreign(reason: "x"), .hung] {
            #expect(after(.wakeRequested, .sleepRequested, word).state == .stopping(then: .sleep))
        }
    }

    @Test("a crash is answered by another start after a pause that doubles, to ten seconds at most")
    func backOff() {
        #expect(
            (1...9).map { WorkerLifecycle.pause(afterCrash: $0) }
                == [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000].map { .milliseconds($0) })
        #expect(WorkerLifecycle.pause(afterCrash: 1_000_000) == .seconds(10))
        var life = after(.wakeRequested, .loaded)
        #expect(life.handle(crash) == [.spawnAfter(.milliseconds(100))])
        #expect(life.state == .backingOff)
        #expect(life.handle(.backOffOver) == [.spawn(nil)])
        #expect(life.state == .loading(0))
        #expect(life.handle(crash) == [.spawnAfter(.milliseconds(200))])
    }

    @Test("one that dies again and again is given up with the reason; a wake tries anew, and a request once it has rested")
    func givingUp() {
        var life = after(.wakeRequested)
        for _ in 1..<WorkerLifecycle.mostCrashes {
            guard case .spawnAfter? = life.handle(crash).first else { return #expect(Bool(false), "gave up too early") }
            #expect(life.handle(.backOffOver) == [.spawn(nil)])
        }
        #expect(life.handle(crash) == [.restFor(.seconds(60))])
        guard case .failed(let reason, hasRested: false) = life.state else { return #expect(Bool(false), "not given up") }
        #expect(reason.contains("signal 9") && reason.contains("\(WorkerLifecycle.mostCrashes)"))
        var woken = life
        #expect(woken.handle(.wakeRequested) == [.spawn(nil)])
        #expect(woken.handle(crash) == [.spawnAfter(.milliseconds(100))])
        #expect(life.handle(.requestArrived) == [])
        #expect(life.handle(.rested) == [])
        #expect(life.handle(.requestArrived) == [.spawn(nil)])
    }

    @Test("one that served for more than a minute is not held to earlier crashes")
    func longService() {
        var life = after(.wakeRequested)
        for _ in 0..<50 {
            _ = life.handle(.loaded)
            #expect(
                life.handle(.exited(WorkerEnd(.exit(1)), servedFor: .seconds(61), hasAnswered: true)) == [.spawnAfter(.milliseconds(100))])
            _ = life.handle(.backOffOver)
        }
    }

    @Test("a model that cannot be loaded is not tried again by itself, and a wake waits for its old process to be gone")
    func loadFailed() {
        var life = after(.wakeRequested)
        #expect(life.handle(.loadFailed(reason: "cut short")) == [.stopProcess])
        #expect(life.state == .stopping(then: .fail(reason: "cut short")))
        #expect(life.handle(.requestArrived) == [])
        var woken = life
        #expect(woken.handle(.wakeRequested) == [])
        #expect(woken.handle(crash) == [.spawn(nil)])
        #expect(life.handle(crash) == [.restFor(.seconds(60))])
        #expect(life.state == .failed(reason: "cut short", hasRested: false))
    }

    @Test("one of another version is started once more from the server's own program, then given up")
    func foreign() {
        var life = after(.wakeRequested)
        #expect(life.handle(.foreign(reason: "old")) == [.stopProcess])
        #expect(life.state == .stopping(then: .wake) && life.usesOwnImage)
        #expect(life.handle(crash) == [.spawn(nil)])
        #expect(life.handle(.foreign(reason: "old")) == [.stopProcess])
        #expect(life.handle(crash) == [.restFor(.seconds(60))])
        #expect(life.state == .failed(reason: "old", hasRested: false))
    }

    @Test("sleep takes a crashing worker out of its pause")
    func sleepWhileBackingOff() {
        var life = after(.wakeRequested, crash)
        #expect(life.handle(.sleepRequested) == [])
        #expect(life.state == .asleep)
    }

    @Test("one that died of its own code before an answer starts on plain kernels, and does so from then on")
    func safeMode() {
        var life = after(.wakeRequested, .loaded, broken)
        guard case .spawn(let mode?)? = life.handle(.backOffOver).first else { return #expect(Bool(false), "not safe") }
        #expect(mode.reason.contains("SIGILL") && life.safeMode == mode)
        _ = life.handle(.loaded)
        _ = life.handle(.exited(WorkerEnd(.signal(11)), servedFor: .seconds(1), hasAnswered: true))
        #expect(life.handle(.backOffOver) == [.spawn(mode)])
        #expect(after(.wakeRequested, broken, .sleepRequested).safeMode == mode)
        #expect(after(.wakeRequested, .loaded, .sleepRequested, broken).safeMode == mode)
        #expect(after(.wakeRequested, crash).safeMode == nil)
    }

    @Test(
        "after the shutdown nothing starts",
        arguments: [
            [], [.wakeRequested], [.wakeRequested, .loaded], [.wakeRequested, .sleepRequested],
            [.wakeRequested, .exited(WorkerEnd(.exit(1)), servedFor: .zero, hasAnswered: false)],
            [.wakeRequested, .loadFailed(reason: "x")],
        ] as [[WorkerLifecycle.Event]])
    func shutdown(before: [WorkerLifecycle.Event]) {
        var life = WorkerLifecycle()
        for event in before { _ = life.handle(event) }
        let runs =
            switch life.state {
            case .loading, .ready, .stopping: true
            default: false
            }
        #expect(life.handle(.shutdownRequested) == (runs ? [.stopProcess] : []))
        if runs { #expect(life.handle(crash) == []) }
        #expect(life.state == .shutDown(isEnding: false))
        for event in [WorkerLifecycle.Event.wakeRequested, .requestArrived, .sleepRequested, .drained, .shutdownRequested] {
            #expect(life.handle(event) == [])
            #expect(life.state == .shutDown(isEnding: false))
        }
    }

    @Test("what cannot be is said, and changes nothing")
    func impossible() {
        var life = WorkerLifecycle()
        for event in [
            WorkerLifecycle.Event.loaded, .progress(1), .loadFailed(reason: "x"), .foreign(reason: "x"), .hung, crash, .backOffOver,
            .rested,
        ] {
            guard case .report(let what)? = life.handle(event).first else { return #expect(Bool(false), "\(event) is not reported") }
            #expect(what.contains("asleep") && life == WorkerLifecycle())
        }
    }
}
