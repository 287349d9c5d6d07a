import CPlayground
import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI

/// The pages in this program: the playground, the API's documentation, and their files. Nothing of them comes from elsewhere.
struct PageRegistry: Sendable {
    private struct Page: Sendable {
        let mediaType: String
        let body: ByteBuffer
        let tag: String
    }

    private let pages: [String: Page]

    init() {
        var count = 0
        guard let first = omni_pages(&count) else {
            pages = [:]
            return
        }
        var pages: [String: Page] = [:]
        for page in UnsafeBufferPointer(start: first, count: count) {
            let bytes = UnsafeBufferPointer(start: page.bytes, count: page.count)
            let tag = "\"\(String(bytes.fnv1a, radix: 16))\""
            pages[String(cString: page.name)] = Page(mediaType: String(cString: page.media_type), body: ByteBuffer(bytes: bytes), tag: tag)
        }
        self.pages = pages
    }

    var names: [String] { pages.keys.sorted() }

    /// The page, 304 for a client that has it, or nil where there is none of that name.
    func reply(_ name: String, to request: Request) -> Response? {
        guard let page = pages[name] else { return nil }
        var headers: HTTPFields = [.contentType: page.mediaType, .eTag: page.tag, .cacheControl: "no-cache"]
        headers[.contentSecurityPolicy] = Self.policy
        headers[.xContentTypeOptions] = "nosniff"
        if let field = HTTPField.Name("Referrer-Policy") { headers[field] = "no-referrer" }
        if let field = HTTPField.Name("Permissions-Policy") { headers[field] = "microphone=(self), camera=(), geolocation=()" }
        guard request.headers[.ifNoneMatch] != page.tag else { return Response(status: .notModified, headers: headers) }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: page.body))
    }

    /// Own files only: no inline script or style, no other host. `blob:` and `data:` are what models and users bring.
    static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob: data:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
