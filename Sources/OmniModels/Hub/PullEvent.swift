/// What a pull tells while it runs.
public enum PullEvent: Sendable, Equatable {
    /// The files are known and the disk has room: `bytes` in all, `present` of them on the disk already.
    case started(files: Int, bytes: Int64, present: Int64)
    /// Bytes arrived.
    case advanced(PullProgress)
    /// A file failed and is tried again after `delay`.
    case retrying(path: String, reason: String, delay: Duration)
    /// A file is whole, its checksum right.
    case finished(path: String)
}

/// How far a pull has come, in bytes.
public struct PullProgress: Sendable, Equatable {
    public var path: String
    public var fileBytes: Int64
    public var fileSize: Int64
    public var totalBytes: Int64
    public var totalSize: Int64
}
