import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI

extension Response {
    /// A JSON reply.
    package static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok, ignored: String? = nil) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let ignored { headers[.xIgnoredParams] = ignored }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: value.jsonBytes)))
    }

    /// An error in the envelope of its path.
    package static func error(_ error: APIError, as shape: ErrorShape = .openAI) -> Response {
        var response = Response.json(shape.json(error), status: .init(code: shape.status(error.code)))
        if let seconds = error.retryAfter { response.headers[.retryAfter] = String(seconds) }
        if [.unauthorized, .invalidAPIKey].contains(error.code) { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }

    package static func text(_ text: String, contentType: String, ignored: String? = nil) -> Response {
        var headers: HTTPFields = [.contentType: contentType]
        if let ignored { headers[.xIgnoredParams] = ignored }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

/// An error of another module that says itself what it is on the wire.
package protocol WireError: Error {
    var apiError: APIError { get }
}

/// What an error thrown by a route becomes on the wire.
package func wireError(_ error: any Error, requestID: String) -> (error: APIError, isExpected: Bool) {
    switch error {
    case let error as APIError: (error, true)
    case let error as any WireError: (error.apiError, true)
    case is NIOTooManyBytesError: (APIError(.tooLarge, "The request body is too large."), true)
    default: (APIError.unexpected(requestID: requestID), false)
    }
}
