import NIOCore
import OmniAPI
import OmniEngine

/// Something that serves one model over the wire API: a child process on a Unix socket, or a URL.
public protocol Backend: AnyObject, Sendable {
    var status: BackendStatus { get }
    /// Requests sent and not yet answered to the end.
    var outstanding: Int { get }
    /// Sends a request, choosing a place to send it to. Throws ``APIError``: 503 when nothing can take it now, 500 when the
    /// backend broke after the request had reached it.
    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse
    /// Ends the backend's process, if it has one, and gives its memory back. False when there is nothing to end.
    func sleep() async -> Bool
    /// Brings it back and waits until it serves. False when it was not asleep.
    func wake() async throws -> Bool
    /// Ends it for good.
    func shutdown() async
}

/// What a backend is doing, and what it serves.
public struct BackendStatus: Sendable, Equatable {
    public enum State: Sendable, Equatable {
        /// 0 to 1.
        case loading(Double)
        case ready
        case asleep
        /// Died, and will be started again.
        case restarting
        case failed(reason: String)
    }

    public var state: State
    /// Longest prompt and answer together, once known.
    public var maxModelLength: Int?
    public var inputParts: [String] = []
    /// Names of a speech model's own voices, and whether it can imitate others.
    public var voices: [String] = []
    public var clonesVoices = false
    /// What a video model can film, without prices; nil until it is known.
    public var video: VideoCapabilities?
    /// Hz of a speech model's own sound.
    public var sampleRate: Int?
    public var root: String

    public init(state: State, root: String) {
        self.state = state
        self.root = root
    }

    /// As `/health` says it.
    public var word: String {
        switch state {
        case .loading, .restarting: "loading"
        case .ready: "ready"
        case .asleep: "asleep"
        case .failed: "failed"
        }
    }
}

public struct UpstreamRequest: Sendable {
    public var method: String
    /// With the query.
    public var path: String
    public var headers: [(String, String)]
    public var body: ByteBuffer?
    /// The one address that it may go to, of a backend that has several.
    public var place: String?

    public init(method: String, path: String, headers: [(String, String)], body: ByteBuffer? = nil, place: String? = nil) {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.place = place
    }
}

public struct UpstreamResponse: Sendable {
    public var status: Int
    public var headers: [(String, String)]
    public var body: UpstreamBody
    /// The address that answered, of a backend that has several.
    public var place: String?
}
