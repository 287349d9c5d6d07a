/// Why a model cannot be served, said before anything is loaded: what is wrong, every file that is missing, and the command
/// that helps.
public struct ModelError: Error, Sendable, Equatable {
    /// What kind of fault this is.
    public enum Fault: String, Sendable {
        /// The model, or files of it, are not on this machine.
        case missing
        /// Several files would fit and none was named.
        case ambiguous
        /// A file is there and is not what it should be.
        case damaged
        /// The model is whole, but of a kind that swift-omni does not load.
        case unsupported
        /// The name cannot mean a model at all.
        case malformed
    }

    public var fault: Fault
    /// The model as the user named it.
    public var model: String
    /// What is wrong, as a full sentence.
    public var problem: String
    /// Paths of the files that are not there.
    public var missing: [String]
    /// What to do, as a full sentence; often a command.
    public var remedy: String?
    /// Files on the Hub that complete the model, as `omni models pull` takes them.
    public var companions: [String]

    public init(
        _ fault: Fault, model: String, _ problem: String, missing: [String] = [], remedy: String? = nil, companions: [String] = []
    ) {
        self.fault = fault
        self.model = model
        self.problem = problem
        self.missing = missing
        self.remedy = remedy
        self.companions = companions
    }
}

extension ModelError: CustomStringConvertible {
    public var description: String {
        var lines = ["\(model): \(problem)"]
        lines += missing.map { "  missing: \($0)" }
        if let remedy { lines.append("  \(remedy)") }
        return lines.joined(separator: "\n")
    }
}

/// The faults of several models, so that a user reads all of them at once.
public struct ModelErrors: Error, Sendable, CustomStringConvertible {
    public let errors: [ModelError]

    public init(_ errors: [ModelError]) { self.errors = errors }

    public var description: String { errors.map(\.description).joined(separator: "\n") }
}
