import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine

extension Response {
    /// A JSON reply.
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok, ignored: String? = nil) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let ignored { headers[.xIgnoredParams] = ignored }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: value.jsonBytes)))
    }

    /// An error in the wire's envelope.
    static func error(_ error: APIError) -> Response {
        // The peer's one reply outside the envelope that clients may have learnt to read.
        var response = Response.json(error.code == .unauthorized ? ["error": "Unauthorized"] : error.json, status: .init(code: error.status))
        if let seconds = error.retryAfter { response.headers[.retryAfter] = String(seconds) }
        if error.code == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }

    static func text(_ text: String, contentType: String) -> Response {
        Response(status: .ok, headers: [.contentType: contentType], body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

/// What an error thrown by a route becomes on the wire.
func wireError(_ error: any Error, requestID: String) -> (error: APIError, isExpected: Bool) {
    switch error {
    case let error as APIError: (error, true)
    case let error as ImageModelError: (APIError(error), true)
    case is NIOTooManyBytesError: (APIError(.tooLarge, "The request body is too large."), true)
    default: (APIError.unexpected(requestID: requestID), false)
    }
}
