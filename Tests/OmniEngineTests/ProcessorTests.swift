import Foundation
import OmniEngine
import Testing

@Suite("How many threads find a core")
struct ProcessorTests {
    private func processors(_ files: [String: String]) throws -> Processors {
        let system = try FakeSystem(files)
        defer { system.remove() }
        return Processors(root: system.root, count: 6)
    }

    private let eight = [
        "/proc/self/status": "Name:\tomni\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7", "/sys/devices/system/cpu/online": "0-3,6-7",
        "/proc/self/cgroup": "0::/omni", "/proc/self/mountinfo": FakeSystem.mounts(unified: "/sys/fs/cgroup"),
    ]

    @Test("those that are allowed and online")
    func allowed() throws {
        #expect(try processors(eight).cores == [0, 1, 2, 3, 6, 7])
        #expect(try processors(eight.merging(["/proc/self/status": "Cpus_allowed_list:\t1,5-6"]) { $1 }).cores == [1, 6])
        #expect(try processors([:]).threads == 6)
    }

    @Test(
        "a quota in any group above counts, rounded to whole threads, one at least",
        arguments: [
            ("max 100000", nil, 6), ("50000 100000", 0.5, 1), ("10000", 0.1, 1), ("140000 100000", 1.4, 1), ("150000 100000", 1.5, 2),
            ("800000 100000", nil, 6), ("nothing", nil, 6),
        ] as [(String, Double?, Int)])
    func quota(text: String, share: Double?, threads: Int) throws {
        let found = try processors(eight.merging(["/sys/fs/cgroup/omni/cpu.max": text, "/sys/fs/cgroup/cpu.max": "max"]) { $1 })
        #expect(found.quota == share && found.threads == threads)
        let above = try processors(eight.merging(["/sys/fs/cgroup/omni/cpu.max": "max 100000", "/sys/fs/cgroup/cpu.max": text]) { $1 })
        #expect(above.quota == share && above.threads == threads)
    }

    @Test("version 1's quota", arguments: [("-1", nil, 6), ("250000", 2.5, 3)] as [(String, Double?, Int)])
    func first(text: String, share: Double?, threads: Int) throws {
        let found = try processors([
            "/proc/self/cgroup": "2:cpu,cpuacct:/a/b",
            "/proc/self/mountinfo": FakeSystem.mounts(controllers: ["cpu,cpuacct": "/sys/fs/cgroup/cpu,cpuacct"]),
            "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": text, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1", "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        ])
        #expect(found.quota == share && found.threads == threads)
    }

    @Test("servers on the same cores take turns; those that find room beside each other do not, nor those on other cores")
    func lanes() throws {
        let base = FileManager.default.temporaryDirectory.appending(path: "omni-lanes-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: base) }
        let all = try processors(eight), some = try processors(eight.merging(["/proc/self/status": "Cpus_allowed_list:\t0-1"]) { $1 })
        let half = try processors(eight.merging(["/sys/fs/cgroup/omni/cpu.max": "50000 100000"]) { $1 })
        let folder = try #require(LaneFolder.shared(threads: 6, processors: all, base: base))
        #expect(LaneFolder.shared(threads: 4, processors: all, base: base) == folder)
        #expect(LaneFolder.shared(threads: 3, processors: all, base: base) == nil)
        #expect(LaneFolder.shared(threads: 2, processors: some, base: base) != folder)
        #expect(LaneFolder.shared(threads: 6, processors: half, base: base) != folder)
        let (mine, other) = (try FileLane(directory: folder, device: "cpu"), try FileLane(directory: folder, device: "cpu"))
        let isSeen = other.hold { mine.isWanted }
        #expect(isSeen)
    }

    @Test("a folder that another could write, or a link, is not used")
    func untrusted() throws {
        let base = FileManager.default.temporaryDirectory.appending(path: "omni-lanes-\(UUID().uuidString)").path
        defer { for path in [base, base + "-link"] { try? FileManager.default.removeItem(atPath: path) } }
        mkdir(base, 0o700)
        chmod(base, 0o777)
        #expect(LaneFolder.shared(threads: 9, base: base) == nil)
        chmod(base, 0o700)
        #expect(LaneFolder.shared(threads: 9, base: base) != nil)
        symlink(base, base + "-link")
        #expect(LaneFolder.shared(threads: 9, base: base + "-link") == nil)
    }
}
