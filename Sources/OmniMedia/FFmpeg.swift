import CFFmpeg
import OmniAPI

/// What all users of FFmpeg's C functions share.
enum FFmpeg {
    /// Silences FFmpeg's log once per process; read before the first call of each codec.
    private static let ready: Void = cff_quiet()

    /// Runs `body` with a buffer for the reason of a failure, and returns that reason beside the result.
    static func call<Result>(_ body: (UnsafeMutablePointer<CChar>) -> Result) -> (Result, reason: String) {
        ready
        let reason = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CFF_ERROR_SIZE))
        defer { reason.deallocate() }
        reason.initialize(repeating: 0, count: Int(CFF_ERROR_SIZE))
        return (body(reason), String(cString: reason))
    }
}

extension APIError {
    /// A medium over one of our limits: 413 that names the limit and both values.
    static func mediaTooLarge(_ kind: String, _ what: String, limit: String) -> APIError {
        APIError(.tooLarge, "The \(kind) has \(what); the limit is \(limit).", remedy: "Send a smaller one.")
    }

    /// A medium that cannot be read: 400 with the reason.
    static func unreadableMedia(_ kind: String, _ reason: String) -> APIError {
        APIError(.invalidRequest, "The \(kind) cannot be read: \(reason).")
    }

    /// A codec that refused to work on input of ours: 500.
    static func mediaFailure(_ what: String, _ reason: String) -> APIError {
        APIError(.internalError, "\(what) failed: \(reason).")
    }
}

/// The licence of the installed FFmpeg build, as it reports it.
public func mediaLibraryLicence() -> String { String(cString: cff_license()) }
