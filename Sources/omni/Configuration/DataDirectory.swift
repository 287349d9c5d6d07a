import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// The folder with everything a server keeps; one server at a time uses it.
final class DataDirectory {
    let url: URL
    /// Where sockets and lanes are.
    let run: URL
    /// Where checkpoints are kept as GGUF.
    var conversions: String { url.appending(path: "converted").path }
    private let lock: Int32
    /// Stands in for `run` where its path is too long for a socket's.
    private var shortFolder: String?

    /// Makes the folder where needed and locks it. Throws ``StartError`` when another server has it.
    init(_ path: String?) throws {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HOME"] ?? NSHomeDirectory()
        let shared = environment["XDG_DATA_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(home)/.local/share"
        url = URL(fileURLWithPath: path ?? environment["OMNI_HOME"] ?? "\(shared)/omni")
        run = url.appending(path: "run")
        do {
            try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StartError("Cannot make the data folder \(url.path): \(error.localizedDescription) Choose another with --data-dir.")
        }
        lock = open(url.appending(path: "lock").path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw StartError("Cannot open \(url.path)/lock: \(String(cString: strerror(errno))).") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let owner =
                (try? String(contentsOf: url.appending(path: "lock"), encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
                ?? ""
            close(lock)
            throw StartError(
                "Another omni serve\(owner.isEmpty ? "" : " (process \(owner))") uses \(url.path). End it, or give this one its own --data-dir."
            )
        }
        ftruncate(lock, 0)
        let text = "\(getpid())\n"
        _ = text.withCString { write(lock, $0, strlen($0)) }
    }

    deinit {
        close(lock)
        if let shortFolder { rmdir(shortFolder) }
    }

    /// A socket's path. The kernel takes at most 107 bytes: a longer one moves to a folder that this call makes, under a name
    /// that nobody could know before and open to nobody else. Throws ``StartError``.
    func socket(_ name: String) throws -> String {
        let path = run.appending(path: "\(name).sock").path
        if path.utf8.count <= 100 { return path }
        let folder = try shortFolder ?? Self.makeShortFolder()
        shortFolder = folder
        return "\(folder)/\(name).sock"
    }

    private static func makeShortFolder() throws -> String {
        var template = Array("/tmp/omni-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw StartError("Cannot make a folder for sockets in /tmp: \(String(cString: strerror(errno))).")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Why the server did not start, as a sentence for people.
struct StartError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
