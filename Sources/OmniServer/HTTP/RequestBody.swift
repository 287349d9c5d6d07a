import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI

/// A request's JSON, as bytes and parsed.
public struct JSONBody: Sendable {
    public let bytes: ByteBuffer
    public let json: JSONValue

    /// Not to be worked on while other connections wait.
    var isLong: Bool { bytes.readableBytes > longBody }
}

extension OmniContext {
    /// Reads the whole body. A declared length over the limit is refused before a byte is read: 413.
    func collectBody(_ request: Request) async throws -> ByteBuffer {
        if let declared = request.headers[.contentLength].flatMap({ Int($0) }), declared > limits.maxBodySize {
            throw bodyTooLarge(declared)
        }
        var request = request
        do {
            return try await request.collectBody(upTo: limits.maxBodySize)
        } catch is NIOTooManyBytesError {
            throw bodyTooLarge(nil)
        }
    }

    /// Reads a JSON body. 400 unless the content type is `application/json` and the body is an object; no body at all
    /// counts as an empty object, so that the first missing field is named.
    func collectJSON(_ request: Request, ofAnyType: Bool = false) async throws -> JSONBody {
        let type = request.headers[.contentType]?.split(separator: ";").first.map { $0.trimming() } ?? ""
        guard ofAnyType || type.lowercased() == "application/json" else {
            throw APIError(.badRequest, "Unsupported content type `\(type)`.", remedy: "Send the body as application/json.")
        }
        let bytes = try await collectBody(request)
        guard bytes.readableBytes > 0 else { return JSONBody(bytes: ByteBuffer(string: "{}"), json: [:]) }
        do {
            let json = try await away(if: bytes.readableBytes > longBody) { try JSONValue.parse(bytes.readableBytesView) }
            return JSONBody(bytes: bytes, json: json)
        } catch let error as JSONSyntaxError {
            throw APIError(
                .badRequest, "The body is not valid JSON: \(error.reason) at byte \(error.offset).", param: "body.\(error.offset)")
        }
    }

    /// Decodes and checks a request type; the second result is the value of `x-ignored-params`, if any.
    func decode<Body: WireObject>(_ type: Body.Type, from body: JSONBody) throws -> (Body, ignored: String?) {
        var ignored = IgnoredFields()
        let value = try Body(json: body.json, at: .body, ignored: &ignored)
        guard !ignored.names.isEmpty else { return (value, nil) }
        if limits.strictParameters {
            throw APIError(
                .badRequest, "`\(ignored.names[0])` is unknown and would have no effect.", remedy: "The server runs with --strict-params.",
                param: "body.\(ignored.names[0])")
        }
        return (value, joined(ignored, to: nil))
    }

    /// `x-ignored-params` with further names; nil when there are none at all.
    func joined(_ ignored: IgnoredFields, to header: String?) -> String? {
        // A header holds visible ASCII only; a name from the wire may be anything.
        let names = ignored.names.prefix(32).map { String($0.unicodeScalars.filter { (0x21...0x7E).contains($0.value) && $0 != "," }.prefix(128).map(Character.init)) }
        let all = (header.map { [$0] } ?? []) + names
        return all.isEmpty ? nil : all.joined(separator: ",")
    }

    func bodyTooLarge(_ declared: Int?) -> APIError {
        let size = declared.map { "of \($0) bytes " } ?? ""
        return APIError(
            .tooLarge, "The request body \(size)is larger than the limit of \(limits.maxBodySize) bytes.",
            remedy: "Send less, or start the server with a higher --max-body-size.")
    }
}

extension Substring {
    func trimming() -> String {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

extension HTTPField.Name {
    static let xRequestID = HTTPField.Name("X-Request-Id")!
    static let xIgnoredParams = HTTPField.Name("x-ignored-params")!
    static let accessControlAllowOrigin = HTTPField.Name("Access-Control-Allow-Origin")!
    static let accessControlAllowMethods = HTTPField.Name("Access-Control-Allow-Methods")!
    static let accessControlAllowHeaders = HTTPField.Name("Access-Control-Allow-Headers")!
    static let accessControlMaxAge = HTTPField.Name("Access-Control-Max-Age")!
    static let accessControlExposeHeaders = HTTPField.Name("Access-Control-Expose-Headers")!
    static let xAccelBuffering = HTTPField.Name("X-Accel-Buffering")!
}
