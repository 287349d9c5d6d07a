import Foundation
import OmniEngine
import Synchronization
import Testing

@Suite("Compute lane")
struct FileLaneTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "omni-lane-\(UUID().uuidString)").path

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

    private final class Order: Sendable {
        let names = Mutex<[String]>([])
    }

    /// Takes the lane once on a thread of its own and writes its name into `order`.
    private func take(_ lane: FileLane, as name: String, _ order: Order) async {
        await withCheckedContinuation { done in
            Thread.detachNewThread {
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
        let (mine, other) = (try FileLane(directory: folder, device: "cpu"), try FileLane(directory: folder, device: "cpu"))
        let before = mine.isWanted
        let meanwhile = other.hold { mine.isWanted }
        let after = mine.isWanted
        #expect(!before && meanwhile && !after)
        mine.hold {}
    }

    @Test("who holds it may ask whether another waits, and goes on holding it", .timeLimit(.minutes(1)))
    func wantedWhileHeld() async throws {
        let (mine, other) = (try FileLane(directory: folder, device: "cpu"), try FileLane(directory: folder, device: "cpu"))
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

    @Test("who is patient lets others go first", .timeLimit(.minutes(1)))
    func patience() async throws {
        let (holder, other) = (try FileLane(directory: folder, device: "cpu"), try FileLane(directory: folder, device: "cpu"))
        let patient = try FileLane(directory: folder, device: "cpu", patience: .seconds(50))
        let order = Order()
        holder.acquire()
        async let first: Void = take(patient, as: "patient", order)
        try await Task.sleep(for: .milliseconds(50))
        async let second: Void = take(other, as: "other", order)
        try await untilQueued()
        holder.release()
        _ = await (first, second)
        #expect(order.names.withLock { $0 } == ["other", "patient"])
    }

    @Test("but not for ever", .timeLimit(.minutes(1)))
    func patienceEnds() async throws {
        let (holder, other) = (try FileLane(directory: folder, device: "cpu"), try FileLane(directory: folder, device: "cpu"))
        let hasty = try FileLane(directory: folder, device: "cpu", patience: .milliseconds(1))
        let order = Order()
        holder.acquire()
        async let first: Void = take(hasty, as: "hasty", order)
        try await untilQueued()
        async let second: Void = take(other, as: "other", order)
        holder.release()
        _ = await (first, second)
        #expect(order.names.withLock { $0 } == ["hasty", "other"])
    }

    @Test("one holder at a time, and nobody has two turns while another waits", .timeLimit(.minutes(1)))
    func alternates() async throws {
        let ledger = Ledger()
        let workers = 3
        let rounds = 40
        // Every thread has opened the files of its own, as worker processes do.
        let lanes = try (0..<workers).map { _ in try FileLane(directory: folder, device: "cpu") }
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

    @Test("a process that dies frees the lane", .timeLimit(.minutes(1)))
    func deathFrees() throws {
        let lane = try FileLane(directory: folder, device: "cpu")
        let holder = Process()
        holder.executableURL = URL(filePath: "/usr/bin/env")
        holder.arguments = ["python3", "-c", "import fcntl,sys,time; f=open(sys.argv[1],'r+'); fcntl.flock(f,fcntl.LOCK_EX); print('held',flush=True); time.sleep(600)", "\(folder)/cpu.lane"]
        let output = Pipe()
        holder.standardOutput = output
        try holder.run()
        #expect(output.fileHandleForReading.availableData.starts(with: Data("held".utf8)))
        kill(holder.processIdentifier, SIGKILL)
        var entered = false
        lane.hold { entered = true }
        #expect(entered)
    }
}
