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

    private let crash = WorkerLifecycle.Event.exited(status: "signaled(9)", servedFor: .seconds(1))

    @Test("it starts, loads and serves")
    func start() {
        var life = WorkerLifecycle()
        #expect(life.state == .asleep)
        #expect(life.handle(.wakeRequested) == .spawn)
        #expect(life.state == .loading(0))
        #expect(life.handle(.progress(0.4)) == .none)
        #expect(life.state == .loading(0.4))
        #expect(life.handle(.loaded) == .none)
        #expect(life.state == .ready)
    }

    @Test("progress stays between 0 and 1 and says nothing of a worker that serves")
    func progress() {
        #expect(after(.wakeRequested, .progress(7)).state == .loading(1))
        #expect(after(.wakeRequested, .progress(-1)).state == .loading(0))
        #expect(after(.wakeRequested, .loaded, .progress(0.5)).state == .ready)
    }

    @Test("a second wake starts no second process")
    func wakeTwice() {
        var life = after(.wakeRequested)
        #expect(life.handle(.wakeRequested) == .none)
        life = after(.wakeRequested, .loaded)
        #expect(life.handle(.wakeRequested) == .none)
        #expect(life.state == .ready)
    }

    @Test("sleep ends the process, wake starts it again", arguments: [[WorkerLifecycle.Event.wakeRequested], [.wakeRequested, .loaded]])
    func sleep(before: [WorkerLifecycle.Event]) {
        var life = WorkerLifecycle()
        for event in before { _ = life.handle(event) }
        #expect(life.handle(.sleepRequested) == .stopProcess)
        #expect(life.handle(crash) == .none)
        #expect(life.state == .asleep)
        #expect(life.handle(.wakeRequested) == .spawn)
    }

    @Test("a wake while the process ends waits for its end, so that two never run at once")
    func wakeWhileStopping() {
        var life = after(.wakeRequested, .loaded, .sleepRequested)
        #expect(life.handle(.wakeRequested) == .none)
        #expect(life.handle(crash) == .spawn)
        #expect(life.state == .loading(0))
    }

    @Test("a busy worker sleeps when its requests have ended; whoever asks meanwhile keeps it awake")
    func drain() {
        var life = after(.wakeRequested, .loaded)
        #expect(life.handle(.drainRequested) == .watchDrain)
        #expect(life.state == .draining)
        #expect(life.handle(.drainRequested) == .none)
        #expect(life.handle(.drained) == .stopProcess)
        #expect(life.handle(crash) == .none)
        #expect(life.state == .asleep)

        life = after(.wakeRequested, .loaded, .drainRequested)
        #expect(life.handle(.wakeRequested) == .none)
        #expect(life.state == .ready)
        #expect(life.handle(.drained) == .none)
        #expect(life.state == .ready)
        #expect(after(.wakeRequested, .loaded, .drainRequested, crash).state == .asleep)
        #expect(after(.wakeRequested, .loaded, .drainRequested, .shutdownRequested).state == .shutDown)
    }

    @Test("what a stopping process still says does not count")
    func lateWords() {
        #expect(after(.wakeRequested, .sleepRequested, .loaded).state == .stopping(thenWake: false))
        #expect(after(.wakeRequested, .sleepRequested, .progress(0.9)).state == .stopping(thenWake: false))
        #expect(after(.wakeRequested, .sleepRequested, .loadFailed(reason: "x")).state == .stopping(thenWake: false))
    }

    @Test("a crash is answered by another start after a pause that doubles, to ten seconds at most")
    func backOff() {
        #expect((1...9).map { WorkerLifecycle.pause(afterCrash: $0) } == [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000].map { .milliseconds($0) })
        #expect(WorkerLifecycle.pause(afterCrash: 1_000_000) == .seconds(10))
        var life = after(.wakeRequested, .loaded)
        #expect(life.handle(crash) == .spawnAfter(.milliseconds(100)))
        #expect(life.state == .backingOff)
        #expect(life.handle(.backOffOver) == .spawn)
        #expect(life.state == .loading(0))
        #expect(life.handle(crash) == .spawnAfter(.milliseconds(200)))
    }

    @Test("one that dies again and again is given up with the reason, and a wake tries anew")
    func givingUp() {
        var life = after(.wakeRequested)
        for _ in 1..<WorkerLifecycle.mostCrashes {
            guard case .spawnAfter = life.handle(crash) else { return #expect(Bool(false), "gave up too early") }
            #expect(life.handle(.backOffOver) == .spawn)
        }
        #expect(life.handle(crash) == .none)
        guard case .failed(let reason) = life.state else { return #expect(Bool(false), "not given up") }
        #expect(reason.contains("signaled(9)") && reason.contains("\(WorkerLifecycle.mostCrashes)"))
        #expect(life.handle(.backOffOver) == .none)
        #expect(life.handle(.wakeRequested) == .spawn)
        #expect(life.handle(crash) == .spawnAfter(.milliseconds(100)))
    }

    @Test("one that served for more than a minute is not held to earlier crashes")
    func longService() {
        var life = after(.wakeRequested)
        for _ in 0..<50 {
            _ = life.handle(.loaded)
            #expect(life.handle(.exited(status: "x", servedFor: .seconds(61))) == .spawnAfter(.milliseconds(100)))
            _ = life.handle(.backOffOver)
        }
    }

    @Test("a model that cannot be loaded is not tried again by itself")
    func loadFailed() {
        var life = after(.wakeRequested)
        #expect(life.handle(.loadFailed(reason: "cut short")) == .stopProcess)
        #expect(life.state == .failed(reason: "cut short"))
        #expect(life.handle(crash) == .none)
        #expect(life.state == .failed(reason: "cut short"))
    }

    @Test("sleep takes a crashing worker out of its pause")
    func sleepWhileBackingOff() {
        var life = after(.wakeRequested, crash)
        #expect(life.handle(.sleepRequested) == .none)
        #expect(life.state == .asleep)
        #expect(life.handle(.backOffOver) == .none)
        #expect(life.state == .asleep)
    }

    @Test("after the shutdown nothing starts", arguments: [
        [], [.wakeRequested], [.wakeRequested, .loaded], [.wakeRequested, .sleepRequested], [.wakeRequested, .exited(status: "x", servedFor: .zero)],
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
        #expect(life.handle(.shutdownRequested) == (runs ? .stopProcess : .none))
        for event in [crash, .wakeRequested, .backOffOver, .loaded, .sleepRequested, .shutdownRequested] {
            #expect(life.handle(event) == .none)
            #expect(life.state == .shutDown)
        }
    }
}

extension WorkerLifecycleTests {
    @Test("a model that failed to load and is woken waits for its old process to be gone")
    func wakeWhileEnding() {
        var lifecycle = WorkerLifecycle()
        #expect(lifecycle.handle(.wakeRequested) == .spawn)
        #expect(lifecycle.handle(.loadFailed(reason: "cut short")) == .stopProcess)
        #expect(lifecycle.handle(.wakeRequested) == .none)
        #expect(lifecycle.handle(.exited(status: "0", servedFor: .zero)) == .spawn)
        #expect(lifecycle.state == .loading(0))
    }
}
