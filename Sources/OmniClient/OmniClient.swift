import Foundation
@_exported import OmniAPI

/// A client of swift-omni, and of what speaks its language: vLLM-Omni, vLLM, OpenAI.
///
/// ```swift
/// let client = OmniClient()
/// let answer = try await client.chat.create(ChatCompletionRequest([.user("Name three rivers.")]))
/// print(answer.text)
/// ```
///
/// It is a value: keep one or make several, there is nothing to close. Cancelling the task of a call, or leaving the loop over a
/// stream, closes the request, and the server stops working on it.
public struct OmniClient: Sendable {
    let transport: Transport

    /// Where the server is, and how it is talked to.
    public var configuration: Configuration { transport.configuration }

    public init(_ configuration: Configuration = Configuration()) { transport = Transport(configuration) }

    /// - Parameter pause: waits between tries and between looks at a job; a seam for tests.
    init(_ configuration: Configuration, pause: @escaping @Sendable (Duration) async throws -> Void) {
        var transport = Transport(configuration)
        transport.pause = pause
        self.transport = transport
    }

    /// - Parameters:
    ///   - baseURL: `http://host:port`, with or without `/v1`; nil takes `OMNI_BASE_URL`, else `http://localhost:8091`.
    ///   - apiKey: nil takes `OMNI_API_KEY`, if set.
    public init(baseURL: String?, apiKey: String? = nil) {
        self.init(Configuration(baseURL: baseURL, apiKey: apiKey))
    }

    public struct Configuration: Sendable {
        /// Without a slash at its end and without `/v1`.
        public private(set) var baseURL: String
        public var apiKey: String?
        /// How long a reply may take to begin. A stream that has begun may take any time.
        public var timeout: Duration = .seconds(600)
        public var retries = RetryPolicy()
        /// Sent with every request.
        public var headers: [String: String] = [:]

        /// - Parameters:
        ///   - baseURL: nil takes `OMNI_BASE_URL` from `environment`, else `http://localhost:8091`.
        ///   - apiKey: nil takes `OMNI_API_KEY`.
        public init(baseURL: String? = nil, apiKey: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment) {
            func given(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
            var base = baseURL ?? given("OMNI_BASE_URL") ?? Self.standardBaseURL
            if !base.contains("://") { base = "http://" + base }
            while base.hasSuffix("/") { base.removeLast() }
            if base.hasSuffix("/v1") { base.removeLast(3) }
            self.baseURL = base
            self.apiKey = (apiKey ?? given("OMNI_API_KEY"))?.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        public static let standardBaseURL = "http://localhost:8091"
    }
}

/// What one call may have of its own.
public struct CallOptions: Sendable {
    /// In place of ``OmniClient/Configuration/timeout``.
    public var timeout: Duration?
    /// Makes a POST safe to repeat, on servers that know the header: the client then retries it too.
    public var idempotencyKey: String?
    /// Sent as `X-Request-Id`; the server's log has it.
    public var requestID: String?
    /// Members of the JSON body (fields of a form) that the request's type does not have. They win.
    public var extraFields = JSONObject()

    public init(timeout: Duration? = nil, idempotencyKey: String? = nil, requestID: String? = nil, extraFields: JSONObject = JSONObject()) {
        self.timeout = timeout
        self.idempotencyKey = idempotencyKey
        self.requestID = requestID
        self.extraFields = extraFields
    }
}

/// When and how often a request is tried again.
///
/// Tried again are GET and DELETE, and a POST that carries an `Idempotency-Key`; never another POST, which could have been done
/// already. Reasons are a server that cannot be reached and the statuses 408, 429, 500, 502, 503 and 504.
public struct RetryPolicy: Sendable, Equatable {
    /// Tries after the first.
    public var limit: Int
    /// The first pause; each further one is twice as long, less up to a quarter by chance.
    public var firstPause: Duration
    public var longestPause: Duration
    /// A `Retry-After` longer than this is not waited for: the error is thrown at once.
    public var longestRetryAfter: Duration

    public init(
        limit: Int = 2, firstPause: Duration = .milliseconds(500), longestPause: Duration = .seconds(8),
        longestRetryAfter: Duration = .seconds(60)
    ) {
        self.limit = limit
        self.firstPause = firstPause
        self.longestPause = longestPause
        self.longestRetryAfter = longestRetryAfter
    }

    public static let never = RetryPolicy(limit: 0)

    /// The pause before try `attempt + 1`, counted from 0; nil when there shall be none. `chance` is from 0 to 1.
    func pause(after error: OmniError, attempt: Int, chance: Double) -> Duration? {
        guard attempt < limit, error.isTransient else { return nil }
        if let asked = error.retryAfter { return asked <= longestRetryAfter ? asked : nil }
        let doubled = firstPause * (1 << min(attempt, 20))
        return min(doubled, longestPause) * (1 - chance / 4)
    }
}
