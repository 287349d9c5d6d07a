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

    @Test("who is patient lets all others go first, but not for ever", .timeLimit(.minutes(1)))
    func patience() async throws {
        let ledger = Ledger()
        let lanes = try [0, 1].map { _ in try FileLane(directory: folder, device: "cpu") }
        let (patient, hasty) = (try FileLane(directory: folder, device: "cpu", patience: .seconds(50)), try FileLane(directory: folder, device: "cpu", patience: .milliseconds(1)))
        // One holds the lane and the other waits for it, at any moment, so that it is never idle.
        lanes[0].acquire()
        await withTaskGroup(of: Void.self) { group in
            for (who, lane, rounds) in [(0, lanes[0], 60), (1, lanes[1], 60), (2, patient, 1), (3, hasty, 1)] {
                group.addTask {
                    await withCheckedContinuation { done in
                        Thread.detachNewThread {
                            if who == 0 {
                                usleep(50_000)
                                lane.release()
                            }
                            for _ in 0..<rounds { lane.hold { ledger.take(who) } }
                            done.resume()
                        }
                    }
                }
            }
        }
        let turns = ledger.turns.withLock { $0 }
        let shared = min(turns.lastIndex(of: 0) ?? 0, turns.lastIndex(of: 1) ?? 0)
        #expect((turns.firstIndex(of: 2) ?? 0) > shared && (turns.firstIndex(of: 3) ?? .max) < shared)
        #expect(ledger.overlaps.load(ordering: .relaxed) == 0)
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
