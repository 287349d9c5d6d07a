import Foundation

/// A folder that stands for a system's root, with the files of `/proc` and `/sys` that a test writes.
struct FakeSystem {
    let root = FileManager.default.temporaryDirectory.appending(path: "omni-system-\(UUID().uuidString)").path

    init(_ files: [String: String]) throws {
        for (path, text) in files {
            let file = URL(filePath: root + path)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data((text + "\n").utf8).write(to: file)
        }
    }

    func remove() { try? FileManager.default.removeItem(atPath: root) }

    /// `/proc/meminfo` of a machine.
    static func memory(total: Int, available: Int) -> String {
        "MemTotal: \(total / 1024) kB\nMemFree: 1 kB\nMemAvailable: \(available / 1024) kB"
    }

    /// The lines of `/proc/self/mountinfo` for version 2, and for controllers of version 1.
    static func mounts(unified: String? = nil, unifiedGroup: String = "/", controllers: [String: String] = [:], group: String = "/")
        -> String
    {
        var lines = ["22 1 0:20 / /proc rw,nosuid - proc proc rw", "23 1 8:1 / / rw shared:1 - ext4 /dev/sda rw"]
        if let unified { lines.append("30 23 0:26 \(unifiedGroup) \(unified) rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate") }
        for (controller, point) in controllers.sorted(by: { $0.key < $1.key }) {
            lines.append("31 23 0:27 \(group) \(point) rw,nosuid shared:5 master:2 - cgroup cgroup rw,\(controller)")
        }
        return lines.joined(separator: "\n")
    }
}
