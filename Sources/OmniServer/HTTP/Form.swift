import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI

/// One field of a form: a text, or a file with what the client says about it. Nothing of that is trusted.
struct FormPart: Sendable {
    let name: String
    /// Nil for a text field.
    var fileName: String?
    var contentType: String?
    let body: ByteBuffer

    /// The body as text; nil when it is not UTF-8.
    var text: String? { String(validating: body.readableBytesView, as: UTF8.self) }
}

/// Limits on what a form may hold, besides its size.
struct FormLimits: Sendable {
    var parts = 256
    /// Bytes of one part's headers.
    var headerBytes = 8 << 10
    /// Bytes of one text field. Pictures travel as text too, in `data:` URLs.
    var textBytes = 64 << 20
}

/// A request's form, in the order of its fields.
struct Form: Sendable {
    var parts: [FormPart] = []

    subscript(name: String) -> [FormPart] { parts.filter { $0.name == name } }

    /// Text fields as JSON members, the last of each name, for decoding by a request type. Empty ones count as not given;
    /// those in `excluded` and files are left out.
    func json(excluding excluded: Set<String> = []) throws -> JSONValue {
        var object = JSONObject()
        for part in parts where part.fileName == nil && !excluded.contains(part.name) && part.body.readableBytes > 0 {
            guard let text = part.text else { throw APIError.field(.body.appending(part.name), "must be UTF-8 text.") }
            object[part.name] = .string(text)
        }
        return .object(object)
    }
}

extension OmniContext {
    /// Reads a form, `multipart/form-data` or `application/x-www-form-urlencoded`. A body of another type is a form without
    /// fields, so that the first missing one is named.
    func collectForm(_ request: Request) async throws -> (bytes: ByteBuffer, form: Form) {
        let bytes = try await collectBody(request)
        return (bytes, try Self.form(in: bytes, contentType: request.headers[.contentType] ?? ""))
    }

    static func form(in bytes: ByteBuffer, contentType: String) throws -> Form {
        let (type, parameters) = HeaderParameters.parse(contentType)
        switch type.lowercased() {
        case "multipart/form-data":
            guard let boundary = parameters["boundary"], (1...70).contains(boundary.utf8.count) else {
                throw APIError(.badRequest, "The content type multipart/form-data has no boundary of 1 to 70 characters.")
            }
            return try MultipartReader(boundary: boundary).read(bytes)
        case "application/x-www-form-urlencoded":
            return try URLEncodedReader().read(bytes)
        default: return Form()
        }
    }
}

/// A header's value and its parameters: `form-data; name="a"; filename="b.png"` (RFC 9110, 5.6.6).
enum HeaderParameters {
    static func parse(_ header: String) -> (value: String, parameters: [String: String]) {
        var pieces: [String] = [""]
        var isQuoted = false
        var isEscaped = false
        for character in header {
            if isEscaped {
                pieces[pieces.count - 1].append(character)
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == ";", !isQuoted {
                guard pieces.count < 32 else { break }
                pieces.append("")
            } else {
                pieces[pieces.count - 1].append(character)
            }
        }
        var parameters: [String: String] = [:]
        for piece in pieces.dropFirst() {
            guard let equals = piece.firstIndex(of: "=") else { continue }
            let key = piece[..<equals].trimming().lowercased()
            parameters[key] = parameters[key] ?? piece[piece.index(after: equals)...].trimming()
        }
        return (pieces[0][...].trimming(), parameters)
    }
}
