import Foundation
import Logging
import NIOCore
import NIOPosix
import OmniAPI
import OmniTestSupport
import OmniWorkerAPI
import Synchronization
import Testing

@testable import OmniGateway

@Suite("Sleep, waking and the end of a worker's backend", .timeLimit(.minutes(10)))
struct WorkerBackendLifeTests {
    @Test("a model that nobody asks sleeps, and the next request wakes it and waits")
    func idle() async throws {
        let scripted = await BackendUnderTest.ready(idleUnload: .seconds(60))
        await scripted.time.advance(by: .seconds(59))
        #expect(scripted.state == .ready)
        await scripted.becomes(.asleep)
        await scripted.time.run(until: { scripted.worker.process?.hasEnded == true })
        async let answer = scripted.ask()
        await scripted.becomes(.ready)
        #expect(try await answer == "fine")
        #expect(scripted.worker.processes.count == 2)
    }

    @Test("what the gateway asks for itself keeps no model awake")
    func metricsDoNotWake() async throws {
        let scripted = await BackendUnderTest.ready(idleUnload: .seconds(60))
        for _ in 0..<7 where scripted.state == .ready {
            await scripted.time.advance(by: .seconds(10))
            let reply = try? await scripted.backend.send(UpstreamRequest(method: "GET", path: "/metrics", headers: []))
            _ = try await reply?.body.collect(upTo: 100)
        }
        #expect(scripted.state == .asleep)
    }

    @Test("put to sleep, it ends its running answer first, and one who asks meanwhile keeps it awake")
    func drain() async throws {
        let scripted = await BackendUnderTest.ready()
        let (reply, words) = ScriptedWorker.stream()
        scripted.worker.set { $0.answer = { (_) throws(UpstreamFailure) in reply } }
        var running: UpstreamResponse? = try await scripted.backend.send(BackendUnderTest.request)
        async let slept = scripted.backend.sleep()
        await scripted.time.run(until: { scripted.state == .asleep })
        await scripted.time.advance(by: .seconds(10))
        #expect(scripted.worker.process?.isStopping == false, "an answer is under way")

        scripted.worker.set { $0.answer = { (_) throws(UpstreamFailure) in ScriptedWorker.reply("another") } }
        #expect(try await scripted.ask() == "another")
        #expect(scripted.state == .ready && scripted.worker.processes.count == 1)
        #expect(await !slept, "it was woken again")

        async let again = scripted.backend.sleep()
        await scripted.time.run(until: { scripted.state == .asleep })
        words.yield(ByteBuffer(string: "the end"))
        words.finish()
        let end = try await running?.body.collect(upTo: 100)
        #expect(end.map { String(buffer: $0) } == "the end")
        running = nil

        await scripted.time.run(until: { scripted.worker.process?.isStopping == true })
        #expect(await again)
    }

    @Test("no request ever reaches a process that has been told to end, however often it goes to sleep")
    func noRequestIsKilled() async throws {
        let scripted = await BackendUnderTest.ready()
        let sleeper = Task { while !Task.isCancelled { _ = await scripted.backend.sleep() } }
        let clock = Task { while !Task.isCancelled { await scripted.time.advance(by: .milliseconds(20)) } }
        var failures: [String] = []
        for _ in 0..<5 {
            failures += await withTaskGroup(of: [String].self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        var failures: [String] = []
                        for _ in 0..<5 { do { _ = try await scripted.ask() } catch { failures.append("\(error)") } }
                        return failures
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            // Nobody asks: it gets to sleep.
            while scripted.worker.process?.isStopping == false { await Task.yield() }
        }
        sleeper.cancel()
        await sleeper.value
        clock.cancel()
        #expect(scripted.worker.script.withLock { $0.late } == 0)
        #expect(failures.isEmpty)
        #expect(scripted.worker.processes.count > 1)
        #expect(scripted.log.impossible.isEmpty)
    }

    @Test("told to end before its process is there, it ends all the same", .timeLimit(.minutes(10)))
    func stopBeforeStart() async {
        // Real processes: cat ends with its standard input, as a worker does.
        for _ in 0..<20 {
            let client = UpstreamClient(group: .singletonMultiThreadedEventLoopGroup)
            let launch = WorkerLaunch(
                executable: "/bin/cat", arguments: [], socket: NSTemporaryDirectory() + "never-\(UUID().uuidString)", root: "")
            let backend = WorkerBackend(id: "cat", launch: launch, client: client, drainLimit: .seconds(1), logger: Logger(label: "test")) {
            }
            backend.start()
            await backend.shutdown()
            await client.shutdown()
        }
    }

    @Test("a program that is not there is said to be so")
    func noProgram() async {
        let launch = WorkerLaunch(executable: "/no/such/program", arguments: [], socket: NSTemporaryDirectory() + "never", root: "")
        let end = await ProcessLauncher(logger: Logger(label: "test")).run(launch, stop: StopSignal())
        guard case .notStarted = end.cause else { return #expect(Bool(false), "\(end)") }
        #expect(!end.isOwnFault)
    }

    @Test(
        "a process's end is told as it was",
        arguments: [("exit 3", WorkerEnd.Cause.exit(3)), ("kill -ILL $$", .signal(SIGILL)), ("kill -KILL $$", .signal(SIGKILL))])
    func ends(script: String, cause: WorkerEnd.Cause) async {
        let launch = WorkerLaunch(executable: "/bin/sh", arguments: ["-c", script], socket: NSTemporaryDirectory() + "never", root: "")
        #expect(await ProcessLauncher(logger: Logger(label: "test")).run(launch, stop: StopSignal()).cause == cause)
    }

    @Test("a worker finds what its launch adds in its environment, beside ours")
    func environment() async {
        let launch = WorkerLaunch(
            executable: "/bin/sh", arguments: ["-c", "test -n \"$PATH\" && exit $CODE"], socket: NSTemporaryDirectory() + "never", root: "",
            environment: ["CODE": "7"])
        #expect(await ProcessLauncher(logger: Logger(label: "test")).run(launch, stop: StopSignal()).cause == .exit(7))
    }

    // MARK: - Every transition

    /// What can be asked of a backend, and what its worker can do.
    private enum Step: CaseIterable {
        case start, sleep, wake, ask, crash, load, progress, fail, replace, hang, recover, pause, wait, rest
    }

    /// Walks at random, in a hundred lives: nothing that the life cycle calls impossible may come, and all that it allows must.
    @Test("every transition of the life cycle is one that a backend makes, and no other comes")
    func everyTransition() async throws {
        let wanted: Set<String> = [
            "asleep: wake requested", "asleep: request arrived", "failed: wake requested", "failed and rested: request arrived",
            "stopping to sleep: wake requested",
            "draining: request arrived", "ready: sleep requested", "draining: drained", "loading: sleep requested",
            "backing off: sleep requested",
            "failed: sleep requested", "asleep: shutdown requested", "loading: shutdown requested", "ready: shutdown requested",
            "backing off: shutdown requested",
            "failed: shutdown requested", "loading: progress", "loading: loaded", "loading: load failed", "loading: foreign",
            "loading: hung", "ready: hung", "loading: exited",
            "ready: exited", "stopping to sleep: exited", "stopping to wake: exited", "stopping as failed: exited",
            "backing off: back-off over", "failed: rested",
        ]
        var seen = Set<String>()
        var numbers = SeededGenerator(seed: 1)
        // How tasks fall among the steps is the scheduler's affair: under load some transitions come later.
        for round in 0..<1000 where round < 100 || !wanted.isSubset(of: seen) {
            let scripted = BackendUnderTest(idleUnload: .seconds(100))
            var tasks: [Task<Void, Never>] = []
            for _ in 0..<40 {
                let step = Step.allCases[Int(numbers.next() % UInt64(Step.allCases.count))]
                switch step {
                case .start: scripted.backend.start()
                case .sleep: tasks.append(Task { _ = await scripted.backend.sleep() })
                case .wake: tasks.append(Task { _ = try? await scripted.backend.wake() })
                case .ask: tasks.append(Task { _ = try? await scripted.ask() })
                case .crash: scripted.worker.process?.end(.signal(numbers.next() % 2 == 0 ? 9 : 4))
                case .load: scripted.worker.set { $0.account = .status(WorkerStatus(state: .ready)) }
                case .progress: scripted.worker.set { $0.account = .status(WorkerStatus(state: .loading)) }
                case .fail: scripted.worker.set { $0.account = .status(WorkerStatus(state: .failed)) }
                case .replace: scripted.worker.set { $0.account = .foreign(version: 9) }
                case .hang: scripted.worker.set { $0.account = nil }
                case .recover: scripted.worker.set { $0.obeys.toggle() }
                case .pause: await scripted.time.advance(by: .milliseconds(30))
                case .wait: await scripted.time.advance(by: .seconds(1))
                case .rest: await scripted.time.advance(by: .seconds(65))
                }
            }
            scripted.worker.set { $0.obeys = true }
            scripted.worker.process?.end(.exit(0))
            await scripted.backend.shutdown()
            for task in tasks {
                task.cancel()
                await task.value
            }
            #expect(scripted.log.impossible.isEmpty)
            seen.formUnion(scripted.log.seen)
        }
        #expect(wanted.subtracting(seen).isEmpty)
    }
}
