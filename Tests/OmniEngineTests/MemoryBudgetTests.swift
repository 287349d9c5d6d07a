import Foundation
import OmniEngine
import Testing

@Suite("How much memory there is")
struct MemoryBudgetTests {
    private static let gigabyte = 1 << 30
    private static let machine = FakeSystem.memory(total: 16 * gigabyte, available: 9 * gigabyte)

    private func budget(_ files: [String: String]) throws -> MemoryBudget {
        let system = try FakeSystem(files)
        defer { system.remove() }
        return MemoryBudget(root: system.root, physical: 4 * Self.gigabyte)
    }

    @Test("without control groups it is the machine's")
    func machine() throws {
        let budget = try budget(["/proc/meminfo": Self.machine])
        #expect(budget.limit == 16 * Self.gigabyte && budget.available == 9 * Self.gigabyte && budget.source == nil)
    }

    @Test("where no file tells, it is what the system's calls tell, and nobody knows what is left")
    func nothing() throws {
        let budget = try budget([:])
        #expect(budget.limit == 4 * Self.gigabyte && budget.available == nil)
    }

    @Test("version 2: the least limit of all groups above, and what is left in the fullest; pages of files count as free")
    func unified() throws {
        let folder = "/sys/fs/cgroup/system.slice/omni.service/worker"
        let budget = try budget([
            "/proc/meminfo": Self.machine, "/proc/self/cgroup": "0::/system.slice/omni.service/worker",
            "/proc/self/mountinfo": FakeSystem.mounts(unified: "/sys/fs/cgroup"),
            "\(folder)/memory.max": "max", "\(folder)/memory.high": "max", "\(folder)/memory.current": "100",
            "/sys/fs/cgroup/system.slice/omni.service/memory.max": "\(4 * Self.gigabyte)",
            "/sys/fs/cgroup/system.slice/omni.service/memory.high": "\(2 * Self.gigabyte)",
            "/sys/fs/cgroup/system.slice/omni.service/memory.current": "\(Self.gigabyte)",
            "/sys/fs/cgroup/system.slice/omni.service/memory.stat":
                "anon 1\ninactive_file \(Self.gigabyte / 4)\nactive_file \(Self.gigabyte / 8)\nslab_reclaimable \(Self.gigabyte / 8)",
            "/sys/fs/cgroup/system.slice/memory.max": "\(3 * Self.gigabyte)",
            "/sys/fs/cgroup/system.slice/memory.current": "\(3 * Self.gigabyte - 1000)",
        ])
        #expect(budget.limit == 2 * Self.gigabyte && budget.source == "/sys/fs/cgroup/system.slice/omni.service/memory.high")
        #expect(budget.available == 1000)
    }

    @Test("version 2 in a container: the group is the mount point")
    func namespace() throws {
        let budget = try budget([
            "/proc/meminfo": Self.machine, "/proc/self/cgroup": "0::/",
            "/proc/self/mountinfo": FakeSystem.mounts(unified: "/sys/fs/cgroup"),
            "/sys/fs/cgroup/memory.max": "\(Self.gigabyte)", "/sys/fs/cgroup/memory.current": "\(Self.gigabyte / 4)",
        ])
        #expect(budget.limit == Self.gigabyte && budget.available == Self.gigabyte / 4 * 3)
    }

    @Test("version 1: the host's path of a container leads to its mount point; no limit is a very large one")
    func first() throws {
        let files = [
            "/proc/meminfo": Self.machine, "/proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc",
            "/proc/self/mountinfo": FakeSystem.mounts(controllers: ["memory": "/sys/fs/cgroup/memory"], group: "/docker/abc"),
            "/sys/fs/cgroup/memory/memory.usage_in_bytes": "\(Self.gigabyte)",
            "/sys/fs/cgroup/memory/memory.stat": "cache 5\ntotal_inactive_file \(Self.gigabyte / 2)\ntotal_active_file 0\ninactive_file 7",
        ]
        let limited = try budget(files.merging(["/sys/fs/cgroup/memory/memory.limit_in_bytes": "\(2 * Self.gigabyte)"]) { $1 })
        #expect(limited.limit == 2 * Self.gigabyte && limited.available == Self.gigabyte / 2 * 3)
        #expect(limited.source == "/sys/fs/cgroup/memory/memory.limit_in_bytes")
        for none in ["9223372036854771712", "18446744073709551615", "-1"] {
            let free = try budget(files.merging(["/sys/fs/cgroup/memory/memory.limit_in_bytes": none]) { $1 })
            #expect(free.limit == 16 * Self.gigabyte && free.available == 9 * Self.gigabyte && free.source == nil, "\(none)")
        }
    }

    @Test("both versions beside each other, a group within a group, a path with a space")
    func nested() throws {
        let budget = try budget([
            "/proc/meminfo": Self.machine, "/proc/self/cgroup": "3:memory:/jobs/one two\n0::/elsewhere",
            "/proc/self/mountinfo": FakeSystem.mounts(
                unified: "/sys/fs/cgroup/unified", controllers: ["memory": "/sys/fs/cgroup/the\\040memory"]),
            "/sys/fs/cgroup/the memory/jobs/memory.limit_in_bytes": "\(8 * Self.gigabyte)",
            "/sys/fs/cgroup/the memory/jobs/memory.usage_in_bytes": "\(8 * Self.gigabyte)",
            "/sys/fs/cgroup/the memory/jobs/one two/memory.limit_in_bytes": "\(Self.gigabyte)",
            "/sys/fs/cgroup/the memory/jobs/one two/memory.usage_in_bytes": "0",
        ])
        #expect(budget.limit == Self.gigabyte && budget.source == "/sys/fs/cgroup/the memory/jobs/one two/memory.limit_in_bytes")
        // The group above is full: nothing is left, whatever its part may use.
        #expect(budget.available == 0)
    }

    @Test(
        "a group in another namespace, and files that make no sense, limit nothing",
        arguments: ["", "0::/../../other", "0::", "nonsense", "0::/a/b/c"])
    func odd(group: String) throws {
        let budget = try budget([
            "/proc/meminfo": Self.machine, "/proc/self/cgroup": group,
            "/proc/self/mountinfo": FakeSystem.mounts(unified: "/sys/fs/cgroup") + "\n\nshort line\n - - -",
            "/sys/fs/cgroup/memory.max": "a lot", "/sys/fs/cgroup/memory.current": "",
        ])
        #expect(budget.limit == 16 * Self.gigabyte && budget.available == 9 * Self.gigabyte)
    }

    @Test("this machine tells its own")
    func own() {
        let budget = MemoryBudget.current
        #expect(budget.limit > 0 && (budget.available ?? 0) <= budget.limit)
        #if os(Linux)
            #expect((ProcessMemory.current?.resident ?? 0) > 1 << 20)
        #endif
    }
}
