import Foundation

/// The control groups that this process is in, of both versions, as Linux tells them; none on other systems.
///
/// A limit of a group holds for all groups below it, so a process obeys its own group's and those of every group above it, as far up
/// as they are mounted here: in a container that is the container's own.
struct ControlGroups: Sendable {
    /// The folders of one hierarchy: the process's own group first, the mount point last.
    struct Chain: Sendable, Equatable {
        let isUnified: Bool
        let folders: [String]
    }

    private let root: String
    /// `/proc/self/cgroup`: the controllers of each hierarchy, none for the unified one (version 2), and the path in it.
    private let memberships: [(controllers: [String], path: String)]
    private let mounts: [Mount]

    fileprivate struct Mount {
        /// The group that stands at the mount point, as a path in the hierarchy.
        let group: String
        let point: String
        let isUnified: Bool
        let controllers: [String]
    }

    /// - Parameter root: stands before every path; empty for the system's own files.
    init(root: String = "") {
        self.root = root
        memberships = Self.lines("\(root)/proc/self/cgroup").compactMap { line in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            return (fields[1].split(separator: ",").map(String.init), String(fields[2]))
        }
        mounts = Self.lines("\(root)/proc/self/mountinfo").compactMap(Mount.init(line:))
    }

    /// The groups that `controller` may be set in: one chain a hierarchy. On systems with both versions only one has its files.
    func chains(of controller: String) -> [Chain] {
        memberships.compactMap { controllers, path in
            let isUnified = controllers.isEmpty
            guard isUnified || controllers.contains(controller) else { return nil }
            guard let mount = mounts.first(where: { $0.isUnified == isUnified && (isUnified || $0.controllers.contains(controller)) })
            else { return nil }
            var folders = [root + mount.point]
            for name in mount.names(of: path) { folders.append("\(folders[folders.count - 1])/\(name)") }
            return Chain(isUnified: isUnified, folders: folders.reversed())
        }
    }

    /// A file's first number; nil where there is no such file, or it says that there is no limit (`max`, or less than nothing).
    static func number(_ path: String) -> Int? { numbers(path)?.first ?? nil }

    /// The words of a file's first line as numbers, nil for those that are none; what is too large for an integer is the largest.
    static func numbers(_ path: String) -> [Int?]? {
        guard let line = lines(path).first else { return nil }
        return line.split(separator: " ").map { word in
            if let value = Int(word) { return value < 0 ? nil : value }
            return UInt(word).map { Int(clamping: $0) }
        }
    }

    /// A file of lines with a name and a number, such as `memory.stat`.
    static func table(_ path: String) -> [String: Int] {
        lines(path).reduce(into: [:]) { table, line in
            let words = line.split(separator: " ")
            if words.count == 2, let value = Int(words[1]) { table[String(words[0])] = value }
        }
    }

    static func lines(_ path: String) -> [Substring] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
        return text.split(separator: "\n")
    }
}

extension ControlGroups.Mount {
    /// A line of `/proc/self/mountinfo`; nil for what is no hierarchy of control groups.
    fileprivate init?(line: Substring) {
        let fields = line.split(separator: " ")
        guard fields.count > 6, let dash = fields[6...].firstIndex(of: "-"), fields.count > dash + 3 else { return nil }
        guard fields[dash + 1] == "cgroup" || fields[dash + 1] == "cgroup2" else { return nil }
        group = Self.unescaped(fields[3])
        point = Self.unescaped(fields[4])
        isUnified = fields[dash + 1] == "cgroup2"
        controllers = fields[dash + 3].split(separator: ",").map(String.init)
    }

    /// The names that lead from the mount point to the group at `path`; none where that is not below it, as seen from another namespace.
    fileprivate func names(of path: String) -> [String] {
        let (names, above) = (path.split(separator: "/"), group.split(separator: "/"))
        guard names.starts(with: above), !names.contains("..") else { return [] }
        return names.dropFirst(above.count).map(String.init)
    }

    /// Spaces and the like are written as backslash and three octal digits.
    private static func unescaped(_ text: Substring) -> String {
        guard text.contains("\\") else { return String(text) }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3, let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8) {
                bytes.append(code)
                rest.removeFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
