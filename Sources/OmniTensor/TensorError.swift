/// What can go wrong between a checkpoint's bytes and a computed tensor. `description` is written for whoever runs the
/// model: it names the file, the tensor and both shapes.
public enum TensorError: Error, Sendable, Equatable, CustomStringConvertible {
    /// An operation got tensors that do not fit together.
    case shape(operation: String, reason: String)
    /// A file is not what it claims to be: cut short, an offset outside, a broken header.
    case file(path: String, reason: String)
    /// A tensor the model needs is in none of the files.
    case missing(tensor: String, among: String)
    /// A tensor is there with another shape or element type than the model needs.
    case mismatch(tensor: String, expected: String, found: String)
    /// The device would not give that much memory, bytes.
    case memory(bytes: Int, what: String)
    /// The graph has more nodes than its arena was made for.
    case tooManyNodes(capacity: Int)
    /// `OMNI_CPU` names kernels that are not there, or that this CPU does not run.
    case kernels(name: String, runnable: [String], exists: Bool)
    /// The backend reported a failure.
    case backend(String)
    /// A value that is infinite or no number, where it was found.
    case notFinite(String)

    public var description: String {
        switch self {
        case .shape(let operation, let reason): "\(operation): \(reason)"
        case .file(let path, let reason): "\(path): \(reason)"
        case .missing(let tensor, let among): "tensor \(tensor) is missing from \(among)"
        case .mismatch(let tensor, let expected, let found): "tensor \(tensor) should be \(expected), but is \(found)"
        case .memory(let bytes, let what): "no memory for \(what): \(bytes) bytes"
        case .tooManyNodes(let capacity): "the graph has more than \(capacity) nodes"
        case .kernels(let name, let runnable, let exists):
            "OMNI_CPU is \(name), \(exists ? "which this CPU does not run" : "which names no kernels"); it can be \(runnable.joined(separator: ", ")), or be left out"
        case .backend(let reason): reason
        case .notFinite(let place): "\(place) holds values that are infinite or not numbers"
        }
    }
}
