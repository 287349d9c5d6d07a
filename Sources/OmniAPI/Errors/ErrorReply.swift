/// The body of every reply with a status of 400 or more.
public struct ErrorReply: WireObject, Equatable {
    public var error = ErrorDetail()

    public init() {}
    public static var fields: [Field<ErrorReply>] { [.required("error", \.error, .object())] }
}

/// What went wrong, in the wire's shape.
public struct ErrorDetail: WireObject, Equatable {
    /// What happened and what to do about it.
    public var message = ""
    /// The kind of error: `Bad Request`, `NotFoundError`, `ServiceUnavailableError` …
    public var type: String? = ""
    /// The request field at fault: `body.n`, `model`.
    public var param: String?
    /// Here the HTTP status; other servers put words there, such as `invalid_api_key`.
    public var code: JSONValue? = 500

    public init() {}

    public static var fields: [Field<ErrorDetail>] {
        [
            .sent("message", \.message, .string, "What happened and what to do about it."), .always("type", \.type, .string),
            .always("param", \.param, .string, "The request field at fault."), .always("code", \.code, .any, "The HTTP status."),
        ]
    }
}
