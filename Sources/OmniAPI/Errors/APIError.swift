/// Every error of swift-omni: what happened, what to do about it, and which request parameter is at fault.
///
/// The wire shape is vLLM-Omni's: `{"error":{"message","type","param","code"}}` with the HTTP status as `code`. Status and
/// `type` come from one table, ``APIError/Code``.
public struct APIError: Error, Sendable, Equatable {
    /// What kind of error this is: an open set, each with its HTTP status and wire `type`.
    public struct Code: Sendable, Hashable {
        public let name: String
        public let status: Int
        public let type: String

        public init(name: String, status: Int, type: String) {
            self.name = name
            self.status = status
            self.type = type
        }
    }

    public var code: Code
    /// What happened, as a full sentence.
    public var message: String
    /// What the caller can do; joined to the message on the wire.
    public var remedy: String?
    /// The request field at fault, as a dotted path: `body.messages`, `model`.
    public var param: String?
    /// Seconds after which a retry makes sense; sent as `Retry-After`.
    public var retryAfter: Int?

    public init(_ code: Code, _ message: String, remedy: String? = nil, param: String? = nil, retryAfter: Int? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.param = param
        self.retryAfter = retryAfter
    }

    public var status: Int { code.status }
    public var type: String { code.type }

    /// The sentences a client sees. The peer's own words have no full stop; where a remedy follows they get one.
    public var fullMessage: String {
        guard let remedy else { return message }
        return message + (message.last.map { ".!?".contains($0) } ?? true ? " " : ". ") + remedy
    }

    /// The wire envelope.
    public var json: JSONValue {
        ["error": ["message": .string(fullMessage), "type": .string(type), "param": .string(param), "code": .int(status)]]
    }
}

extension APIError: CustomStringConvertible {
    public var description: String { "\(status) \(type): \(fullMessage)" + (param.map { " (\($0))" } ?? "") }
}

extension APIError.Code {
    /// The body is not JSON, or a field has the wrong type or is out of range.
    public static let badRequest = Self(name: "bad_request", status: 400, type: "Bad Request")
    /// The request is well-formed but cannot be served as asked.
    public static let invalidRequest = Self(name: "invalid_request", status: 400, type: "BadRequestError")
    public static let unauthorized = Self(name: "unauthorized", status: 401, type: "AuthenticationError")
    /// A key that is unknown or has expired, where keys have names. OpenAI's words: `invalid_api_key` stands as the wire's `code` too.
    public static let invalidAPIKey = Self(name: "invalid_api_key", status: 401, type: "invalid_request_error")
    /// Something that the request's key may not do, or a page of an origin that may not call.
    public static let permissionDenied = Self(name: "permission_denied", status: 403, type: "PermissionDeniedError")
    /// The model, or something else that the request names, does not exist.
    public static let notFound = Self(name: "not_found", status: 404, type: "NotFoundError")
    public static let methodNotAllowed = Self(name: "method_not_allowed", status: 405, type: "Method Not Allowed")
    /// A request that did not come whole in time.
    public static let requestTimeout = Self(name: "request_timeout", status: 408, type: "Request Timeout")
    public static let conflict = Self(name: "conflict", status: 409, type: "Conflict")
    /// A body, prompt or medium over a limit.
    public static let tooLarge = Self(name: "too_large", status: 413, type: "RequestTooLargeError")
    /// A body in a coding that is not read here.
    public static let unsupportedMediaType = Self(name: "unsupported_media_type", status: 415, type: "Unsupported Media Type")
    /// What is asked for can never be there.
    public static let unprocessable = Self(name: "unprocessable", status: 422, type: "Unprocessable Entity")
    /// A path that speaks WebSocket only.
    public static let upgradeRequired = Self(name: "upgrade_required", status: 426, type: "Upgrade Required")
    /// The key's rate limit; `retryAfter` says when it lets the next one in.
    public static let rateLimited = Self(name: "rate_limited", status: 429, type: "RateLimitError")
    /// The head of a request over a limit.
    public static let headTooLarge = Self(name: "head_too_large", status: 431, type: "Request Header Fields Too Large")
    /// Nobody is left to read this; it stands in the log and the metrics. The number is nginx's.
    public static let clientGone = Self(name: "client_gone", status: 499, type: "ClientDisconnected")
    public static let internalError = Self(name: "internal_error", status: 500, type: "InternalServerError")
    public static let notImplemented = Self(name: "not_implemented", status: 501, type: "NotImplementedError")
    /// The queue is full, or the model is loading or being restarted.
    public static let unavailable = Self(name: "unavailable", status: 503, type: "ServiceUnavailableError")
    public static let timeout = Self(name: "timeout", status: 504, type: "Gateway Timeout")
    /// The work would not fit in memory, or the disk is full.
    public static let insufficientStorage = Self(name: "insufficient_storage", status: 507, type: "InsufficientStorageError")

    /// Every code there is, for documentation and tests.
    public static let all: [Self] = [
        .badRequest, .invalidRequest, .unauthorized, .invalidAPIKey, .permissionDenied, .notFound, .methodNotAllowed, .requestTimeout,
        .conflict, .tooLarge,
        .unsupportedMediaType, .unprocessable, .upgradeRequired,
        .rateLimited, .headTooLarge, .clientGone, .internalError, .notImplemented, .unavailable, .timeout, .insufficientStorage,
    ]
}

extension APIError {
    /// A field of the wrong type or out of range: 400 with `param`.
    public static func field(_ path: WirePath, _ message: String) -> APIError {
        APIError(.badRequest, "\(path.fieldName): \(message)", param: path.text)
    }

    /// A well-formed field whose value cannot be served: 400 with `param`.
    public static func invalid(_ param: String?, _ message: String, remedy: String? = nil) -> APIError {
        APIError(.invalidRequest, message, remedy: remedy, param: param)
    }

    /// The words by which clients know that a prompt is too long (litellm, inspect and lm-eval look for them), here and from other servers.
    private static let contextLength = "maximum context length"

    /// The beginning of such an error's message.
    package static func contextLength(_ tokens: Int) -> String { "This model's \(contextLength) is \(tokens) tokens." }

    /// Whether a prompt, or a prompt and its answer, does not fit the model.
    package var tellsContextLength: Bool { code == .tooLarge && message.contains(Self.contextLength) }

    public static func modelNotFound(_ name: String, served: [String]) -> APIError {
        APIError(
            .notFound, "The model `\(name)` does not exist.",
            remedy: served.isEmpty ? nil : "Served models: \(served.joined(separator: ", ")).", param: "model")
    }

    /// What an error of unknown kind becomes: nothing of it reaches the client, the log has it under the request id.
    public static func unexpected(requestID: String) -> APIError {
        APIError(
            .internalError, "Something went wrong inside the server.",
            remedy: "The server's log has the details under request id \(requestID).")
    }
}
