/// Why a checkpoint is not converted. It is known before anything is written, except for a disk that fills up or fails meanwhile.
public struct ConversionError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Fault: String, Sendable {
        /// A file of the checkpoint is not there.
        case missing
        /// A file is there and is not what it should be.
        case damaged
        /// The checkpoint may be whole, but nothing here knows how to run it rightly.
        case unsupported
        /// The disk has no room, or did not take what was written.
        case disk
    }

    public let fault: Fault
    /// The file or folder at fault.
    public let path: String
    /// What is wrong, as a full sentence.
    public let problem: String
    public let remedy: String?

    init(_ fault: Fault, _ path: String, _ problem: String, remedy: String? = nil) {
        (self.fault, self.path, self.problem, self.remedy) = (fault, path, problem, remedy)
    }

    public var description: String { "\(path): \(problem)" + (remedy.map { " \($0)" } ?? "") }
}
