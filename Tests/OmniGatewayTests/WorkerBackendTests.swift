import NIOCore
import OmniAPI
import OmniEngine
import OmniWorkerAPI
import Synchronization
import Testing

@testable import OmniGateway

@Suite("A worker's backend, its worker scripted", .timeLimit(.minutes(10)))
struct WorkerBackendTests {
    private static func status(_ state: WorkerStatus.State, _ change: (inout WorkerStatus) -> Void = { _ in }) -> WorkerAccount {
        var status = WorkerStatus(state: state)
        change(&status)
        return .status(status)
    }

    @Test("it loads, tells how far it is, and serves")
    func start() async throws {
        let scripted = BackendUnderTest()
        scripted.worker.set { $0.account = Self.status(.loading) { $0.progress = 0.4 } }
        scripted.backend.start()
        await scripted.becomes(.loading(0.4))
        #expect(scripted.backend.status.capabilities == nil, "nobody knows yet")
        await #expect { try await scripted.ask() } throws: { ($0 as? APIError)?.status == 503 && "\($0)".contains("40 %") }
        scripted.worker.set {
            $0.account = Self.status(.ready) {
                $0.capabilities = ["chat", "speech", "not yet known"]
                ($0.maxModelLength, $0.voices, $0.sampleRate) = (77, ["joe"], 16_000)
            }
        }
        await scripted.becomes(.ready)
        #expect(try await scripted.ask() == "fine")
        let status = scripted.backend.status
        #expect(status.maxModelLength == 77 && status.voices == ["joe"] && status.sampleRate == 16_000 && status.safeMode == nil)
        #expect(status.capabilities == [.chat, .speech])
        #expect(scripted.backend.outstanding == 0)
    }

    // MARK: - Failures

    @Test("a model that cannot be loaded says why, and a wake by hand tries anew")
    func failedIsWoken() async throws {
        let scripted = BackendUnderTest()
        scripted.worker.set { $0.account = Self.status(.failed) { $0.reason = "No memory." } }
        scripted.backend.start()
        await scripted.becomes(.failed(reason: "No memory."))
        await #expect { try await scripted.ask() } throws: { "\($0)".contains("No memory.") && ($0 as? APIError)?.retryAfter == 60 }
        await scripted.time.run(until: { scripted.worker.process?.hasEnded == true })
        scripted.worker.set { $0.account = Self.status(.ready) }
        async let woken = scripted.backend.wake()
        await scripted.becomes(.ready)
        #expect(try await woken)
        #expect(try await scripted.ask() == "fine")
        #expect(scripted.worker.processes.count == 2)
        #expect(try await !scripted.backend.wake(), "there is nothing to wake")
    }

    @Test("after a minute a request tries a failed model anew, before it does not")
    func failedIsTriedAgain() async throws {
        let scripted = BackendUnderTest()
        scripted.worker.set { $0.account = Self.status(.failed) { $0.reason = "No memory." } }
        scripted.backend.start()
        await scripted.becomes(.failed(reason: "No memory."))
        await scripted.time.run(until: { scripted.log.seen.contains("stopping as failed: exited") })
        await scripted.time.advance(by: .seconds(59))
        await #expect(throws: APIError.self) { try await scripted.ask() }
        #expect(scripted.worker.processes.count == 1)
        scripted.worker.set { $0.account = Self.status(.ready) }
        await scripted.time.advance(by: .seconds(2))
        async let answer = scripted.ask()
        await scripted.becomes(.ready)
        #expect(try await answer == "fine")
        #expect(scripted.worker.processes.count == 2)
    }

    @Test("one that dies again and again is given up, and can be woken")
    func givingUp() async throws {
        let scripted = BackendUnderTest()
        scripted.worker.set { $0.account = nil }
        scripted.backend.start()
        for count in 1...WorkerLifecycle.mostCrashes {
            await scripted.time.run(.seconds(20), until: { scripted.worker.processes.count == count })
            scripted.worker.process?.end(.signal(9))
        }
        await scripted.time.run(until: { if case .failed = scripted.state { true } else { false } })
        #expect(scripted.backend.status.safeMode == nil, "SIGKILL comes from elsewhere")
        scripted.worker.set { $0.account = Self.status(.ready) }
        async let woken = scripted.backend.wake()
        await scripted.becomes(.ready)
        #expect(try await woken)
    }

    @Test("one that speaks another version of the protocol is restarted from the program that this server runs")
    func foreignOnce() async throws {
        let scripted = BackendUnderTest()
        scripted.worker.set { ($0.account, $0.obeys) = (.foreign(version: 9), false) }
        scripted.backend.start()
        await scripted.time.run(until: { scripted.worker.process?.isStopping == true })
        scripted.worker.set { $0.account = Self.status(.ready) }
        scripted.worker.process?.end(.exit(0))
        await scripted.becomes(.ready)
        #expect(scripted.worker.launches.map(\.executable) == ["/nowhere", "/proc/1/exe"])
        #expect(scripted.log.says("worker of another version") && scripted.log.impossible.isEmpty)
        scripted.worker.process?.end(.signal(9))
        await scripted.time.run(.seconds(20), until: { scripted.worker.processes.count == 3 })
        #expect(scripted.worker.launches.last?.executable == "/proc/1/exe", "the file is still another's")
    }

    @Test("one that does so again is refused with both versions")
    func foreign() async throws {
        let scripted = BackendUnderTest()
        scripted.worker.set { $0.account = .foreign(version: 9) }
        scripted.backend.start()
        await scripted.time.run(until: { if case .failed = scripted.state { true } else { false } })
        #expect(scripted.worker.processes.count == 2)
        guard case .failed(let reason) = scripted.state else { return }
        #expect(
            reason.contains("version 9") && reason.contains("version \(WorkerProtocol.version)") && reason.contains("Restart the server"))
    }

    @Test("one that does not answer for a minute is ended and started anew")
    func hung() async {
        let scripted = await BackendUnderTest.ready()
        scripted.worker.set { $0.account = nil }
        await scripted.time.run(.seconds(70), until: { scripted.worker.processes.count == 2 })
        #expect(scripted.worker.processes.first?.isStopping == true)
        #expect(scripted.log.says("worker hangs"))
    }

    @Test("one whose engine does not get on is ended and started anew")
    func stalled() async {
        let scripted = await BackendUnderTest.ready()
        scripted.worker.set { $0.account = Self.status(.ready) { $0.stalledSeconds = 301 } }
        await scripted.time.run(until: { scripted.worker.processes.count == 2 })
        #expect(scripted.worker.processes.first?.isStopping == true)
    }

    // MARK: - Safe mode

    @Test(
        "one that dies of its own code before its first answer runs on plain kernels from then on",
        arguments: [4, 5, 6, 7, 8, 11] as [Int32])
    func safeMode(signal: Int32) async throws {
        let scripted = await BackendUnderTest.ready()
        scripted.worker.set {
            $0.answer = { [worker = scripted.worker] (_) throws(UpstreamFailure) in
                worker.process?.end(.signal(signal))
                throw .broken("reset")
            }
        }
        await #expect { try await scripted.ask() } throws: { ($0 as? APIError)?.status == 500 }
        scripted.worker.set { $0.answer = { (_) throws(UpstreamFailure) in ScriptedWorker.reply("slow but right") } }
        await scripted.time.run(until: { scripted.worker.processes.count == 2 })
        await scripted.becomes(.ready)
        #expect(try await scripted.ask() == "slow but right")
        #expect(scripted.worker.launches.map { $0.environment["OMNI_CPU"] } == [nil, "baseline"])
        #expect(scripted.backend.status.safeMode?.contains("before it had answered") == true)
        #expect(scripted.log.says("safe mode"))
        // It stays there, also over a sleep.
        _ = await scripted.backend.sleep()
        async let woken = scripted.backend.wake()
        await scripted.becomes(.ready)
        #expect(try await woken && scripted.worker.launches.last?.environment["OMNI_CPU"] == "baseline")
    }

    @Test("one that dies while it loads does so too")
    func safeModeWhileLoading() async {
        let scripted = BackendUnderTest()
        scripted.worker.set { $0.account = Self.status(.loading) }
        scripted.backend.start()
        await scripted.time.run(until: { scripted.worker.process != nil })
        scripted.worker.process?.end(.signal(4))
        await scripted.time.run(until: { scripted.worker.processes.count == 2 })
        #expect(scripted.worker.launches.last?.environment["OMNI_CPU"] == "baseline")
    }

    @Test("the first words of a stream are no answer: only its end shows that the kernels hold")
    func safeModeInAStream() async throws {
        let scripted = await BackendUnderTest.ready()
        let (reply, words) = ScriptedWorker.stream()
        let box = Mutex(UpstreamResponse?.some(reply))
        scripted.worker.set {
            $0.answer = { (_) throws(UpstreamFailure) in
                guard let reply = box.withLock({ $0 }) else { throw .refused }
                return reply
            }
        }
        let begun = try await scripted.backend.send(BackendUnderTest.request)
        words.yield(ByteBuffer(string: "data: {}\n\n"))
        var chunks = begun.body.makeAsyncIterator()
        _ = try await chunks.next()
        scripted.worker.process?.end(.signal(4))
        await scripted.time.run(until: { scripted.worker.processes.count == 2 })
        #expect(scripted.backend.status.safeMode != nil)
    }

    @Test(
        "one that has answered, or was killed from outside, starts as before",
        arguments: [(true, 4), (true, 11), (false, 9), (false, 15)] as [(Bool, Int32)])
    func noSafeMode(hasAnswered: Bool, signal: Int32) async throws {
        let scripted = await BackendUnderTest.ready()
        if hasAnswered { _ = try await scripted.ask() }
        scripted.worker.process?.end(.signal(signal))
        await scripted.time.run(until: { scripted.worker.processes.count == 2 })
        await scripted.becomes(.ready)
        #expect(scripted.backend.status.safeMode == nil && scripted.worker.launches.last?.environment.isEmpty == true)
    }

    @Test("what the gateway asks for itself, and errors, prove nothing")
    func housekeepingProvesNothing() async throws {
        let scripted = await BackendUnderTest.ready()
        let metrics = try await scripted.backend.send(UpstreamRequest(method: "GET", path: "/metrics", headers: []))
        _ = try await metrics.body.collect(upTo: 100)
        scripted.worker.set { $0.answer = { (_) throws(UpstreamFailure) in ScriptedWorker.reply("no", status: 500) } }
        _ = try await scripted.ask()
        scripted.worker.process?.end(.signal(4))
        await scripted.time.run(until: { scripted.worker.processes.count == 2 })
        #expect(scripted.backend.status.safeMode != nil)
    }
}
