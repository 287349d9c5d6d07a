import OmniAPI

/// Every error of the client, but for `CancellationError`, which stays what it is.
public struct OmniError: Error, Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// The server answered with a status of 400 or more, or with an error inside a stream.
        case refused
        /// Nobody answers at the base URL.
        case unreachable
        /// The reply did not begin in time.
        case timedOut
        /// The connection broke in the middle of a reply.
        case interrupted
        /// The reply is not what the endpoint promises.
        case unreadable
        /// A video job came to nothing.
        case failed
        /// A file that was to be sent or written.
        case file
    }

    public var kind: Kind
    /// The HTTP status, or that of an error inside a stream.
    public var status: Int?
    /// The wire's kind of error: `NotFoundError`, `ServiceUnavailableError` …
    public var type: String?
    /// The wire's code: here the status, elsewhere a word such as `invalid_api_key`.
    public var code: String?
    /// The request field at fault.
    public var param: String?
    /// What happened and, from swift-omni, what to do about it.
    public var message: String
    /// The server's log has the details under it.
    public var requestID: String?
    /// When the server wants to be asked again.
    public var retryAfter: Duration?
    /// Whether sound or text that came before it should be thrown away.
    public var partialResult = false
    /// The body of the reply, as far as it is JSON.
    var body: JSONValue?

    public init(
        _ kind: Kind, _ message: String, status: Int? = nil, type: String? = nil, code: String? = nil, param: String? = nil,
        requestID: String? = nil
    ) {
        self.kind = kind
        self.message = message
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.requestID = requestID
    }

    /// Whether the same request may succeed later.
    public var isTransient: Bool {
        switch kind {
        case .unreachable, .timedOut, .interrupted: true
        case .refused: [408, 429, 500, 502, 503, 504].contains(status)
        case .unreadable, .failed, .file: false
        }
    }
}

extension OmniError: CustomStringConvertible {
    public var description: String {
        var text = message
        var facts: [String] = []
        if let status { facts.append("status \(status)") }
        if let type { facts.append(type) }
        if let param { facts.append("param \(param)") }
        if let requestID { facts.append("request \(requestID)") }
        if !facts.isEmpty { text += " (\(facts.joined(separator: ", ")))" }
        return text
    }
}

extension OmniError {
    /// The error that a reply's body tells. Reads the wire's envelope, FastAPI's `detail`, and plain text that is no page.
    init(url: String, status: Int, body bytes: [UInt8], requestID: String?, retryAfter: Duration?) {
        let json = try? JSONValue.parse(bytes)
        self.init(json: json ?? .null, status: status, requestID: requestID)
        if message.isEmpty {
            let text = String(decoding: bytes.prefix(500), as: UTF8.self).split(whereSeparator: \.isNewline).first.map(String.init)
            let told = json == nil && text?.first { !$0.isWhitespace } != "<" ? text : nil
            message = json?["detail"]?.stringValue ?? json?["error"]?.stringValue ?? told ?? "\(url) answered with status \(status)."
        }
        self.retryAfter = retryAfter
    }

    /// The error that an envelope tells, in a body or in a stream.
    init(json: JSONValue, status: Int?, requestID: String?) {
        let detail = json["error"]
        self.init(.refused, detail?["message"]?.stringValue ?? "", requestID: requestID)
        self.status = status ?? detail?["code"]?.intValue
        type = detail?["type"]?.stringValue
        code = detail?["code"].flatMap { $0.stringValue ?? $0.intValue.map(String.init) }
        param = detail?["param"]?.stringValue
        partialResult = detail?["partial_audio"]?.boolValue ?? false
        body = json
    }
}
