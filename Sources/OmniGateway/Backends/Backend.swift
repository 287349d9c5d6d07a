import NIOCore
import OmniAPI
import OmniEngine
import OmniWorkerAPI

/// Something that serves one model over the wire API: a child process on a Unix socket, or a URL.
public protocol Backend: AnyObject, Sendable {
    var status: BackendStatus { get }
    /// Requests sent and not yet answered to the end.
    var outstanding: Int { get }
    /// Sends a request, choosing a place to send it to. Throws ``APIError``: 503 when nothing can take it now, 500 when the
    /// backend broke after the request had reached it.
    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse
    /// Ends the backend's process, if it has one, and gives its memory back; running requests end first. False when there is nothing
    /// to end, or somebody woke it meanwhile.
    func sleep() async -> Bool
    /// Brings it back, also from a failure, and waits until it serves. False when it neither slept nor had failed.
    func wake() async throws -> Bool
    /// From now on it stays loaded for that long after its last request, until it sleeps the next time.
    func keep(_ keepAlive: KeepAlive)
    /// Ends it for good.
    func shutdown() async
}

extension Backend {
    /// What has no process of its own keeps none.
    public func keep(_ keepAlive: KeepAlive) {}
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
    /// What the model can do, once it has said so.
    public var capabilities: Set<ModelCapability>?
    /// Longest prompt and answer together, once known.
    public var maxModelLength: Int?
    public var inputParts: [String] = []
    /// Names of a speech model's own voices, and whether it can imitate others.
    public var voices: [String] = []
    public var clonesVoices = false
    /// What a video model can make, without prices; nil until it is known.
    public var video: VideoCapabilities?
    /// Hz of a speech model's own sound.
    public var sampleRate: Int?
    public var root: String
    /// Why its worker runs on plain kernels; nil when it does not.
    public var safeMode: String?
    /// What it has set aside, once known.
    public var memoryBytes: Int?
    /// When it sleeps if nobody asks; nil is never.
    public var unloadsAfter: Duration?

    public init(state: State, root: String) {
        self.state = state
        self.root = root
    }

    public var canBeWoken: Bool {
        switch state {
        case .asleep, .failed: true
        case .loading, .ready, .restarting: false
        }
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

    /// Whether it wants something of the model. What the gateway asks for itself keeps no model awake.
    var isWork: Bool { path != "/metrics" && !path.hasPrefix(WorkerProtocol.capabilitiesPath) }

    /// Whether tokens follow; what speaks an answer that has begun is not held up.
    var opensAnswer: Bool { path.hasPrefix("/v1/chat/completions") || path.hasPrefix("/v1/completions") }

    /// A JSON body for `path`; with the id of the request that it is part of.
    public init(posting json: JSONValue, to path: String, requestID: String? = nil) {
        self.init(
            method: "POST", path: path, headers: [("Content-Type", "application/json")] + (requestID.map { [("X-Request-Id", $0)] } ?? []),
            body: ByteBuffer(bytes: json.jsonBytes))
    }

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

    /// The first header of this name, whatever its case.
    public func header(_ name: String) -> String? { headers.first { $0.0.lowercased() == name.lowercased() }?.1 }
}
