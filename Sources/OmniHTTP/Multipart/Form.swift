import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI

/// One field of a form: a text, or a file with what the client says about it. Nothing of that is trusted.
package struct FormPart: Sendable {
    package let name: String
    /// Nil for a text field.
    package var fileName: String?
    package var contentType: String?
    package let body: ByteBuffer

    package init(name: String, fileName: String? = nil, contentType: String? = nil, body: ByteBuffer) {
        (self.name, self.fileName, self.contentType, self.body) = (name, fileName, contentType, body)
    }

    /// The body as text; nil when it is not UTF-8.
    package var text: String? { String(validating: body.readableBytesView, as: UTF8.self) }
}

/// Limits on what a form may hold, besides its size.
package struct FormLimits: Sendable {
    package var parts: Int
    /// Bytes of one part's headers.
    package var headerBytes: Int
    /// Bytes of one text field. Pictures travel as text too, in `data:` URLs.
    package var textBytes: Int

    package init(parts: Int = 256, headerBytes: Int = 8 << 10, textBytes: Int = 64 << 20) {
        (self.parts, self.headerBytes, self.textBytes) = (parts, headerBytes, textBytes)
    }
}

/// A request's form, in the order of its fields.
package struct Form: Sendable {
    package var parts: [FormPart] = []

    package init(parts: [FormPart] = []) { self.parts = parts }

    package subscript(name: String) -> [FormPart] { parts.filter { $0.name == name } }

    /// Names of files that no route reads, each once.
    package func unknownFiles(known: Set<String>) -> [String] {
        var seen = known
        return parts.filter { $0.fileName != nil && seen.insert($0.name).inserted }.map(\.name)
    }

    /// Text fields as JSON members, the last of each name, for decoding by a request type. Empty ones count as not given;
    /// those in `excluded` and files are left out.
    package func json(excluding excluded: Set<String> = []) throws -> JSONValue {
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
    package func collectForm(_ request: Request) async throws -> (bytes: ByteBuffer, form: Form) {
        let bytes = try await collectBody(request)
        return (bytes, try Self.form(in: bytes, contentType: request.headers[.contentType] ?? ""))
    }

    static func form(in bytes: ByteBuffer, contentType: String) throws -> Form {
        let (type, parameters) = HeaderParameters.parse(contentType)
        switch type.lowercased() {
        case "multipart/form-data":
            let boundary = try HeaderParameters.boundary(parameters)
            return try MultipartReader(boundary: boundary).read(bytes)
        case "application/x-www-form-urlencoded":
            return try URLEncodedReader().read(bytes)
        default: return Form()
        }
    }
}

/// A header's value and its parameters: `form-data; name="a"; filename="b.png"` (RFC 9110, 5.6.6).
package enum HeaderParameters {
    /// The boundary of a multipart body (RFC 2046, 5.1.1). Throws 400 where there is none of 1 to 70 bytes.
    package static func boundary(_ parameters: [String: String]) throws -> String {
        guard let boundary = parameters["boundary"], (1...70).contains(boundary.utf8.count) else {
            throw APIError(.badRequest, "The content type multipart/form-data has no boundary of 1 to 70 characters.")
        }
        return boundary
    }

    package static func parse(_ header: String) -> (value: String, parameters: [String: String]) {
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
