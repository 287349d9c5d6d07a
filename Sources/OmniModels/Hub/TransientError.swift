import AsyncHTTPClient
import NIOHTTP1
import NIOPosix

/// A fault that may pass by itself: the file is tried again.
struct TransientError: Error, CustomStringConvertible {
    var description: String
    /// The server's HTTP status, if it answered.
    var status: Int?
    /// What the server asked to wait, if it did.
    var retryAfter: Duration?
    /// The host's name could not be resolved.
    var isUnknownHost = false

    init(_ description: String, status: Int? = nil, retryAfter: Duration? = nil) {
        self.description = description
        self.status = status
        self.retryAfter = retryAfter
    }

    /// An answer that may be another one soon; nil for one that stays.
    init?(_ response: HTTPClientResponse) {
        let code = Int(response.status.code)
        guard [408, 416, 425, 429].contains(code) || (500...599).contains(code) else { return nil }
        let wait = response.headers.first(name: "Retry-After").flatMap { Int($0) }.map { Duration.seconds($0) }
        self.init("the server answered \(code)", status: code, retryAfter: wait)
    }

    /// A connection that failed.
    init(_ error: any Error) {
        self.init("\(error)")
        guard let error = error as? NIOConnectionError else { return }
        isUnknownHost = error.connectionErrors.isEmpty && (error.dnsAError != nil || error.dnsAAAAError != nil)
    }
}
