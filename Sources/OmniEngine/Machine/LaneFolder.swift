import Foundation

/// Where the locks of the compute lanes lie, so that several servers of one user compute in turns and not against each other.
public enum LaneFolder {
    /// The folder for a server that computes with `threads` threads: one for all of this user's that may run on the same cores. Nil
    /// where two such servers find room side by side, and where the folder cannot be trusted; then a server's workers take turns among
    /// themselves.
    ///
    /// - Parameter base: the folder that is made; one of the user's own in `/tmp`.
    public static func shared(threads: Int, processors: Processors = .current, base: String = "/tmp/omni-lanes-\(geteuid())") -> String? {
        guard threads * 2 > processors.cores.count else { return nil }
        mkdir(base, 0o700)
        // Anybody may have made it: it must be a folder of ours, and no link.
        var status = stat()
        guard lstat(base, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            return nil
        }
        return "\(base)/\(name(processors))"
    }

    /// Who runs on other cores, or under another quota, computes beside the others.
    private static func name(_ processors: Processors) -> String {
        let cores = processors.cores.sorted()
        let starts = cores.filter { !processors.cores.contains($0 - 1) }, ends = cores.filter { !processors.cores.contains($0 + 1) }
        let ranges = zip(starts, ends).map { $0 == $1 ? "\($0)" : "\($0)-\($1)" }.joined(separator: ",")
        // A file's name is at most 255 bytes long; the smallest and largest core and their number tell enough.
        let list = ranges.utf8.count < 200 ? ranges : "\(cores[0])-\(cores[cores.count - 1])-of-\(cores.count)"
        return list + (processors.quota.map { "-quota-\($0)" } ?? "")
    }
}
