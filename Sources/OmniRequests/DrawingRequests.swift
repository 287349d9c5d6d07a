import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniHTTP

extension OmniContext {
    /// As ``collectJSON(_:ofAnyType:)``, but no body at all is a fault of the body.
    package func collectImageJSON(_ request: Request) async throws -> JSONBody {
        let body = try await collectJSON(request)
        if request.headers[.contentLength] == "0" || (request.headers[.contentLength] == nil && request.headers[.transferEncoding] == nil) {
            throw APIError.field(.body, "is empty; a JSON object is required.")
        }
        return body
    }

    /// As ``decode(_:from:)``; fields that have no effect and unknown `extra_params` are named among the ignored ones.
    package func decodeDrawing<Body: DrawingRequest>(_ type: Body.Type, from body: JSONBody) throws -> (Body, ignored: String?) {
        let (value, header) = try decode(type, from: body)
        var ignored = IgnoredFields()
        _ = try value.extras(ignored: &ignored)
        if limits.strictParameters, let name = ignored.names.first {
            throw APIError(.badRequest, "Unknown field `\(name)`.", remedy: "The server runs with --strict-params.", param: "body.\(name)")
        }
        ignored.names += Body.unusedNames.filter { body.json[$0].map { !$0.isNull } ?? false } + value.idleNames
        return (value, joined(ignored, to: header))
    }

    /// Decodes and checks a chat request to an image model; the second result is the value of `x-ignored-params`.
    package func decodeImageChat(_ json: JSONValue) throws -> (ImageChatRequest, ignored: String?) {
        var ignored = IgnoredFields()
        let chat = try ImageChatRequest(json: json, ignored: &ignored)
        if limits.strictParameters, let name = ignored.names.first {
            throw APIError(.badRequest, "Unknown field `\(name)`.", remedy: "The server runs with --strict-params.", param: "body.\(name)")
        }
        _ = try chat.parameters.extras(ignored: &ignored)
        ignored.names += chat.unused
        return (chat, joined(ignored, to: nil))
    }
}

extension Form {
    /// The text fields, for ``ImageEditRequest``.
    package func editBody() throws -> JSONBody {
        JSONBody(bytes: ByteBuffer(), json: try json(excluding: ImageEditRequest.pictureNames))
    }
}
