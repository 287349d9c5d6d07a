import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI

/// A request's JSON, as bytes and parsed.
public struct JSONBody: Sendable {
    public let bytes: ByteBuffer
    public let json: JSONValue

    package init(bytes: ByteBuffer, json: JSONValue) {
        self.bytes = bytes
        self.json = json
    }

    /// Not to be worked on while other connections wait.
    package var isLong: Bool { bytes.readableBytes > longBody }
}

extension OmniContext {
    /// Reads the whole body and undoes its content coding. A declared length over the limit is refused before a byte is read, and
    /// a body that becomes longer than it as soon as it does: 413.
    package func collectBody(_ request: Request) async throws -> ByteBuffer {
        if let declared = request.headers[.contentLength].flatMap({ Int($0) }), declared > limits.maxBodySize {
            throw bodyTooLarge(declared)
        }
        var whole = ByteBuffer()
        for try await chunk in try DecodedBody(request) {
            guard whole.readableBytes + chunk.readableBytes <= limits.maxBodySize else { throw bodyTooLarge(nil) }
            // Most bodies are one chunk, which is not copied.
            if whole.readableBytes == 0 { whole = chunk } else { whole.writeImmutableBuffer(chunk) }
        }
        return whole
    }

    /// Reads a JSON body. 400 unless the content type is `application/json` and the body is an object; no body at all
    /// counts as an empty object, so that the first missing field is named.
    package func collectJSON(_ request: Request, ofAnyType: Bool = false) async throws -> JSONBody {
        let type = request.headers[.contentType]?.split(separator: ";").first.map { $0.trimming() } ?? ""
        guard ofAnyType || type.lowercased() == "application/json" else {
            throw APIError(.badRequest, "Unsupported content type `\(type)`.", remedy: "Send the body as application/json.")
        }
        var bytes = try await collectBody(request)
        // Read over here, so that no backend has to.
        if bytes.readableBytesView.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.moveReaderIndex(forwardBy: 3) }
        guard bytes.readableBytes > 0 else { return JSONBody(bytes: ByteBuffer(string: "{}"), json: [:]) }
        do {
            let json = try await away(if: bytes.readableBytes > longBody) { [bytes] in try JSONValue.parse(bytes.readableBytesView) }
            return JSONBody(bytes: bytes, json: json)
        } catch let error as JSONSyntaxError {
            throw APIError(
                .badRequest, "The body is not valid JSON: \(error.reason) at byte \(error.offset).", param: "body.\(error.offset)")
        }
    }

    /// Decodes and checks a request type; the second result is the value of `x-ignored-params`, if any. `unread` names what else of the
    /// request has no effect.
    package func decode<Body: WireObject>(
        _ type: Body.Type, from body: JSONBody, and unread: (Body) -> [String] = { _ in [] }
    ) throws -> (Body, ignored: String?) {
        var ignored = IgnoredFields()
        let value = try Body(json: body.json, at: .body, ignored: &ignored)
        ignored.names += unread(value)
        guard !ignored.names.isEmpty else { return (value, nil) }
        if limits.strictParameters {
            throw APIError(
                .badRequest, "`\(ignored.names[0])` is unknown and would have no effect.", remedy: "The server runs with --strict-params.",
                param: "body.\(ignored.names[0])")
        }
        return (value, joined(ignored, to: nil))
    }

    /// `x-ignored-params` with further names; nil when there are none at all.
    package func joined(_ ignored: IgnoredFields, to header: String?) -> String? {
        // A header holds visible ASCII only; a name from the wire may be anything.
        let names = ignored.names.prefix(32).map {
            String($0.unicodeScalars.filter { (0x21...0x7E).contains($0.value) && $0 != "," }.prefix(128).map(Character.init))
        }
        let all = (header.map { [$0] } ?? []) + names
        return all.isEmpty ? nil : all.joined(separator: ",")
    }

    /// `x-ignored-params` with the names of files of a form that have no effect. Throws 400 with `--strict-params`.
    package func naming(_ files: [String], beside header: String?) throws -> String? {
        guard let name = files.first else { return header }
        if limits.strictParameters {
            throw APIError(
                .badRequest, "The file `\(name.prefix(64))` is unknown and would have no effect.",
                remedy: "The server runs with --strict-params.", param: "body.\(name.prefix(64))")
        }
        var ignored = IgnoredFields()
        ignored.names = files
        return joined(ignored, to: header)
    }

    package func bodyTooLarge(_ declared: Int?) -> APIError {
        let size = declared.map { "of \($0) bytes " } ?? ""
        return APIError(
            .tooLarge, "The request body \(size)is larger than the limit of \(limits.maxBodySize) bytes.",
            remedy: "Send less, or start the server with a higher --max-body-size.")
    }
}

extension Request {
    /// The query, decoded and checked as a body is; the errors' `param` begins with `query`.
    package func query<Query: WireObject>(_: Query.Type) throws -> Query {
        let members = uri.queryParameters.map { (String($0.key), JSONValue.string(String($0.value))) }
        return try Query(json: .object(JSONObject(members)), at: .root("query"))
    }
}

extension HTTPField.Name {
    package static let xRequestID = HTTPField.Name("X-Request-Id")!
    package static let xAPIKey = HTTPField.Name("x-api-key")!
    package static let xIgnoredParams = HTTPField.Name("x-ignored-params")!
    package static let accessControlAllowOrigin = HTTPField.Name("Access-Control-Allow-Origin")!
    package static let accessControlAllowMethods = HTTPField.Name("Access-Control-Allow-Methods")!
    package static let accessControlAllowHeaders = HTTPField.Name("Access-Control-Allow-Headers")!
    package static let accessControlMaxAge = HTTPField.Name("Access-Control-Max-Age")!
    package static let accessControlExposeHeaders = HTTPField.Name("Access-Control-Expose-Headers")!
    package static let secWebSocketVersion = HTTPField.Name("Sec-WebSocket-Version")!
    package static let xAccelBuffering = HTTPField.Name("X-Accel-Buffering")!
    package static let xSampleRate = HTTPField.Name("X-Sample-Rate")!
}
