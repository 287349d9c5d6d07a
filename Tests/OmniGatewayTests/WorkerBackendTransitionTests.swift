import NIOCore
import OmniAPI
import OmniWorkerAPI
import Testing

@testable import OmniGateway

/// The transitions that a random walk seldom or never meets (`WorkerBackendLifeTests.everyTransition` does not ask for them).
@Suite("A worker that drains, stops or ends, and what comes meanwhile", .timeLimit(.minutes(10)))
struct WorkerBackendTransitionTests {
    /// A backend that is draining: an answer is under way which does not end.
    private struct Draining {
        let scripted: BackendUnderTest
        let answer: UpstreamResponse
        let slept: Task<Bool, Never>

        init() async throws {
            let scripted = await BackendUnderTest.ready(drainLimit: .seconds(36_000))
            let (reply, _) = ScriptedWorker.stream()
            scripted.worker.set { $0.answer = { (_) throws(UpstreamFailure) in reply } }
            answer = try await scripted.backend.send(BackendUnderTest.request)
            slept = Task { await scripted.backend.sleep() }
            await scripted.becomes(.asleep)
            self.scripted = scripted
        }
    }

    private func until(_ scripted: BackendUnderTest, _ transition: String) async {
        await scripted.time.run(until: { scripted.log.seen.contains(transition) })
    }

    @Test("woken while it drains, it goes on with the same process")
    func wokenWhileDraining() async throws {
        let draining = try await Draining()
        let scripted = draining.scripted
        #expect(try await scripted.backend.wake())
        #expect(scripted.state == .ready && scripted.worker.processes.count == 1)
        #expect(scripted.log.seen.contains("draining: wake requested"))
        #expect(await !draining.slept.value, "it was woken again")
        withExtendedLifetime(draining.answer) {}
    }

    @Test("a process that dies while it drains leaves the model asleep, and nothing starts")
    func diesWhileDraining() async throws {
        let draining = try await Draining()
        let scripted = draining.scripted
        scripted.worker.process?.end(.signal(9))
        await until(scripted, "draining: exited")
        await scripted.time.advance(by: .seconds(20))
        #expect(scripted.state == .asleep && scripted.worker.processes.count == 1)
        #expect(await draining.slept.value)
        withExtendedLifetime(draining.answer) {}
    }

    @Test("one that hangs while it drains is ended")
    func hangsWhileDraining() async throws {
        let draining = try await Draining()
        let scripted = draining.scripted
        scripted.worker.set { $0.account = nil }
        await scripted.time.advance(by: WorkerWatch.longestSilence + .seconds(2))
        #expect(scripted.log.seen.isSuperset(of: ["draining: hung", "draining: exited"]))
        #expect(scripted.state == .asleep && scripted.worker.process?.isStopping == true)
        withExtendedLifetime(draining.answer) {}
    }

    @Test("a shutdown does not wait for a drain")
    func shutdownWhileDraining() async throws {
        let draining = try await Draining()
        await draining.scripted.backend.shutdown()
        #expect(draining.scripted.log.seen.isSuperset(of: ["draining: shutdown requested", "shutting down: exited"]))
        #expect(draining.scripted.log.impossible.isEmpty)
        withExtendedLifetime(draining.answer) {}
    }

    /// A backend whose process has been told to end, to sleep, and does not yet.
    private func stopping() async -> (BackendUnderTest, Task<Bool, Never>) {
        let scripted = await BackendUnderTest.ready()
        scripted.worker.set { $0.obeys = false }
        let slept = Task { await scripted.backend.sleep() }
        await scripted.time.run(until: { scripted.worker.process?.isStopping == true })
        return (scripted, slept)
    }

    @Test("a request that comes while the process ends has its answer from the next one, also if it is sent to sleep once more")
    func askedWhileStopping() async throws {
        let (scripted, slept) = await stopping()
        let asked = Task { try await scripted.ask() }
        await until(scripted, "stopping to sleep: request arrived")
        let again = Task { await scripted.backend.sleep() }
        await until(scripted, "stopping to wake: sleep requested")
        scripted.worker.set { $0.obeys = true }
        scripted.worker.process?.end(.exit(0))
        await scripted.time.run(until: { scripted.worker.processes.count == 2 && scripted.state == .ready })
        #expect(try await asked.value == "fine")
        #expect(scripted.log.impossible.isEmpty)
        for task in [slept, again] {
            task.cancel()
            _ = await task.value
        }
    }

    @Test("a shutdown while the process ends waits for its end")
    func shutdownWhileStopping() async {
        let (scripted, slept) = await stopping()
        let ended = Task { await scripted.backend.shutdown() }
        await until(scripted, "stopping to sleep: shutdown requested")
        scripted.worker.process?.end(.exit(0))
        await ended.value
        #expect(scripted.log.seen.contains("shutting down: exited") && scripted.log.impossible.isEmpty)
        slept.cancel()
        _ = await slept.value
    }

    /// A backend whose model could not be loaded and whose process does not end yet.
    private func failing() async -> BackendUnderTest {
        let scripted = BackendUnderTest()
        var status = WorkerStatus(state: .failed)
        status.reason = "No memory."
        let account = WorkerAccount.status(status)
        scripted.worker.set { script in
            script.account = account
            script.obeys = false
        }
        scripted.backend.start()
        await scripted.time.run(until: { scripted.worker.process?.isStopping == true })
        return scripted
    }

    @Test("a wake while a failed process ends starts another after it")
    func wokenWhileFailing() async throws {
        let scripted = await failing()
        let woken = Task { try await scripted.backend.wake() }
        await until(scripted, "stopping as failed: wake requested")
        #expect(scripted.worker.processes.count == 1, "two never run at once")
        scripted.worker.set { script in
            script.account = .status(WorkerStatus(state: .ready))
            script.obeys = true
        }
        scripted.worker.process?.end(.exit(1))
        await scripted.becomes(.ready)
        #expect(try await woken.value)
    }

    @Test("a sleep while a failed process ends leaves the model asleep")
    func putToSleepWhileFailing() async {
        let scripted = await failing()
        let slept = Task { await scripted.backend.sleep() }
        await until(scripted, "stopping as failed: sleep requested")
        scripted.worker.process?.end(.exit(1))
        await until(scripted, "stopping to sleep: exited")
        #expect(await slept.value)
        #expect(scripted.state == .asleep)
    }
}
