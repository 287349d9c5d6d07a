/// Why a checkpoint cannot be served.
public enum DiffusionError: Error, Sendable, CustomStringConvertible {
    /// A file of the checkpoint is missing or broken.
    case checkpoint(path: String, reason: String)
    /// The checkpoint asks for something that is not built.
    case unsupported(String)

    public var description: String {
        switch self {
        case .checkpoint(let path, let reason): "\(path): \(reason)"
        case .unsupported(let what): "\(what) is not supported"
        }
    }
}
