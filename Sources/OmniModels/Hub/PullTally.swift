import Synchronization

/// Counts the bytes of all files of a pull and tells the listener.
final class PullTally: Sendable {
    let totalSize: Int64
    let presentBytes: Int64
    private let bytes: Mutex<[String: Int64]>
    private let onEvent: @Sendable (PullEvent) -> Void

    /// `present` are the bytes of each file, by path, that lie on the disk: whole files, and what was begun.
    init(files: [HubFile], present: [String: Int64], onEvent: @escaping @Sendable (PullEvent) -> Void) {
        totalSize = files.reduce(0) { $0 + $1.size }
        presentBytes = present.values.reduce(0, +)
        bytes = Mutex(present)
        self.onEvent = onEvent
    }

    func set(_ file: HubFile, bytes count: Int64) { bytes.withLock { $0[file.path] = count } }

    func advance(_ file: HubFile, by count: Int) {
        let progress = bytes.withLock { bytes in
            bytes[file.path, default: 0] += Int64(count)
            return PullProgress(
                path: file.path, fileBytes: bytes[file.path, default: 0], fileSize: file.size,
                totalBytes: bytes.values.reduce(0, +), totalSize: totalSize)
        }
        onEvent(.advanced(progress))
    }

    func retrying(_ file: HubFile, reason: String, delay: Duration) { onEvent(.retrying(path: file.path, reason: reason, delay: delay)) }

    func finish(_ file: HubFile) {
        set(file, bytes: file.size)
        onEvent(.finished(path: file.path))
    }
}
