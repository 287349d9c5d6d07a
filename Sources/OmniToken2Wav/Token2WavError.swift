/// Why a checkpoint makes no sound, or a request is refused.
public enum Token2WavError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A file of the checkpoint is missing or broken.
    case checkpoint(path: String, reason: String)
    /// The checkpoint asks for something that is not built.
    case unsupported(String)
    /// No voice of that name.
    case unknownVoice(String, known: [String])
    /// A setting or a code out of its range.
    case invalid(parameter: String, reason: String)

    public var description: String {
        switch self {
        case .checkpoint(let path, let reason): "\(path): \(reason)"
        case .unsupported(let what): "\(what) is not supported"
        case .unknownVoice(let name, let known): "there is no voice \(name); the model has \(known.joined(separator: ", "))"
        case .invalid(let parameter, let reason): "\(parameter) \(reason)"
        }
    }
}
