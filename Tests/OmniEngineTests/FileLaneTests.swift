import Foundation
import Synchronization
import Testing

@testable import OmniEngine

@Suite("Compute lane")
struct FileLaneTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "omni-lane-\(UUID().uuidString)").path

    /// One whose holder is waited for, however slow the machine.
    private func lane(yieldInterval: Duration = .zero) throws -> FileLane {
        try FileLane(directory: folder, device: "cpu", yieldInterval: yieldInterval, longestWait: .seconds(600))
    }

    /// Records who held the lane, and whether two ever held it at once.
    private final class Ledger: Sendable {
        let turns = Mutex<[Int]>([])
        let holders = Atomic<Int>(0)
        let overlaps = Atomic<Int>(0)

        func take(_ who: Int) {
            if holders.add(1, ordering: .sequentiallyConsistent).newValue > 1 { overlaps.add(1, ordering: .relaxed) }
            turns.withLock { $0.append(who) }
            usleep(1000)
            holders.subtract(1, ordering: .sequentiallyConsistent)
        }
    }

    private final class Flag: Sendable {
        let isOn = Atomic<Bool>(false)
    }

    private final class Order: Sendable {
        let names = Mutex<[String]>([])
    }

    /// Takes the lane once on a thread of its own and writes its name into `order`. `began` is called as the thread sets out.
    private func take(_ lane: FileLane, as name: String, _ order: Order, began: @escaping @Sendable () -> Void = {}) async {
        await withCheckedContinuation { done in
            Thread.detachNewThread {
                began()
                lane.hold { order.names.withLock { $0.append(name) } }
                done.resume()
            }
        }
    }

    /// Returns when somebody stands in the queue, who keeps its head; one who only looks has it for a moment.
    private func untilQueued() async throws {
        let head = open("\(folder)/cpu.head", O_RDWR | O_CLOEXEC)
        defer { close(head) }
        var inRow = 0
        while inRow < 20 {
            inRow = flock(head, LOCK_EX | LOCK_NB) == 0 ? 0 : inRow + 1
            flock(head, LOCK_UN)
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    @Test("tells whether another has it, and is as free as before")
    func wanted() throws {
        let (mine, other) = (try lane(), try lane())
        let before = mine.isWanted
        let meanwhile = other.hold { mine.isWanted }
        let after = mine.isWanted
        #expect(!before && meanwhile && !after)
        mine.hold {}
    }

    @Test("who holds it may ask whether another waits, and goes on holding it", .timeLimit(.minutes(10)))
    func wantedWhileHeld() async throws {
        let (mine, other) = (try lane(), try lane())
        mine.acquire()
        let alone = mine.isWanted
        let isStillHeld = other.isWanted
        #expect(!alone && isStillHeld)
        async let waiter: Void = take(other, as: "other", Order())
        try await untilQueued()
        let meanwhile = mine.isWanted
        mine.release()
        await waiter
        let after = mine.isWanted
        #expect(meanwhile && !after)
    }

    @Test("who asks from another thread takes the lane from nobody", .timeLimit(.minutes(10)))
    func askedMeanwhile() async throws {
        let ledger = Ledger()
        let (mine, other) = (try lane(), try lane())
        let over = Flag()
        await withTaskGroup(of: Void.self) { group in
            for (who, lane) in [mine, other].enumerated() {
                group.addTask {
                    await withCheckedContinuation { done in
                        Thread.detachNewThread {
                            for _ in 0..<150 { lane.hold { ledger.take(who) } }
                            done.resume()
                        }
                    }
                }
            }
            for lane in [mine, other] {
                // A look takes the queue's head for a moment; real ones come between two slices.
                Thread.detachNewThread {
                    while !over.isOn.load(ordering: .relaxed) {
                        _ = lane.isWanted
                        usleep(100)
                    }
                }
            }
            await group.waitForAll()
        }
        over.isOn.store(true, ordering: .relaxed)
        #expect(ledger.overlaps.load(ordering: .relaxed) == 0)
    }

    @Test("who is patient lets others go first", .timeLimit(.minutes(10)))
    func yieldInterval() async throws {
        let (holder, other) = (try lane(), try lane())
        let patient = try lane(yieldInterval: .seconds(50))
        let order = Order()
        holder.acquire()
        let (beginning, began) = AsyncStream.makeStream(of: Void.self)
        async let first: Void = take(patient, as: "patient", order) { began.finish() }
        for await _ in beginning {}
        async let second: Void = take(other, as: "other", order)
        try await untilQueued()
        holder.release()
        _ = await (first, second)
        #expect(order.names.withLock { $0 } == ["other", "patient"])
    }

    @Test("but not for ever", .timeLimit(.minutes(10)))
    func patienceEnds() async throws {
        let (holder, other) = (try lane(), try lane())
        let hasty = try lane(yieldInterval: .milliseconds(1))
        let order = Order()
        holder.acquire()
        async let first: Void = take(hasty, as: "hasty", order)
        try await untilQueued()
        async let second: Void = take(other, as: "other", order)
        holder.release()
        _ = await (first, second)
        #expect(order.names.withLock { $0 } == ["hasty", "other"])
    }

    @Test("one holder at a time, and nobody has two turns while another waits", .timeLimit(.minutes(10)))
    func alternates() async throws {
        let ledger = Ledger()
        let workers = 3
        let rounds = 40
        // Every thread has opened the files of its own, as worker processes do.
        let lanes = try (0..<workers).map { _ in try lane() }
        await withTaskGroup(of: Void.self) { group in
            for (who, lane) in lanes.enumerated() {
                group.addTask {
                    await withCheckedContinuation { done in
                        Thread.detachNewThread {
                            for _ in 0..<rounds { lane.hold { ledger.take(who) } }
                            done.resume()
                        }
                    }
                }
            }
        }
        #expect(ledger.overlaps.load(ordering: .relaxed) == 0)
        let turns = ledger.turns.withLock { $0 }
        #expect(turns.count == workers * rounds)
        // While all three want it, each has had its share: without the queue's head one thread takes nearly all turns.
        let contended = turns.prefix(workers * rounds / 2)
        for who in 0..<workers { #expect(contended.count { $0 == who } >= rounds / 8, "worker \(who) starved") }
    }

    @Test("a holder that has stopped is not waited for, and the lane is taken again once it goes on", .timeLimit(.minutes(10)))
    func stoppedHolder() async throws {
        let (holder, mine) = (try lane(), try FileLane(directory: folder, device: "cpu", longestWait: .milliseconds(100)))
        holder.acquire()
        // Both come in although the holder never moves; the second does not wait.
        for _ in 0..<2 { mine.hold {} }
        // What was not taken is not given back either.
        let isStillHeld = try lane().isWanted
        #expect(isStillHeld)
        holder.release()
        // The wait that was given up ends now; from then on the lane is exclusive again.
        while !mine.holdsLane {
            await withCheckedContinuation { done in
                Thread.detachNewThread {
                    mine.acquire()
                    done.resume()
                }
            }
        }
        let isSeen = holder.isWanted
        #expect(isSeen)
        mine.release()
        let after = holder.isWanted
        #expect(!after)
    }

    @Test("a process that dies frees the lane", .timeLimit(.minutes(10)))
    func deathFrees() throws {
        let lane = try self.lane()
        let holder = Process()
        holder.executableURL = URL(filePath: "/usr/bin/env")
        holder.arguments = [
            "python3", "-c",
            "import fcntl,sys,time; f=open(sys.argv[1],'r+'); fcntl.flock(f,fcntl.LOCK_EX); print('held',flush=True); time.sleep(600)",
            "\(folder)/cpu.lane",
        ]
        let output = Pipe()
        holder.standardOutput = output
        try holder.run()
        #expect(output.fileHandleForReading.availableData.starts(with: Data("held".utf8)))
        kill(holder.processIdentifier, SIGKILL)
        var entered = false
        lane.hold { entered = true }
        #expect(entered)
    }

    @Test("each device has its own, so that models on two devices compute side by side; who is on both waits for both")
    func devices() throws {
        func lane(_ device: String) throws -> FileLane { try FileLane(directory: folder, device: device, longestWait: .milliseconds(50)) }
        let (cpu, gpu, both) = (try lane("cpu"), try lane("cuda0"), try lane("cuda0"))
        cpu.acquire()
        gpu.acquire()
        #expect(cpu.holdsLane && gpu.holdsLane && !cpu.isWanted && !gpu.isWanted)
        cpu.release()
        // The other lane is free, the GPU's is not: given up on after a moment here, and waited for in earnest otherwise.
        let (first, joined) = (try lane("cpu"), JoinedLane([try lane("cpu"), both]))
        joined.acquire()
        #expect(!both.holdsLane && first.isWanted)
        joined.release()
        gpu.release()
        #expect(!first.isWanted)
    }
}
