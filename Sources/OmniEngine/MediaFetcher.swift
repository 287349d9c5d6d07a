import OmniAPI

/// Gets the bytes behind an http(s) URL that a request names, under the address rules of the server.
public protocol MediaFetcher: Sendable {
    /// At most `limit` bytes. Throws ``APIError`` with `param` when the address is not allowed or does not answer, 413 when
    /// the body is larger.
    func fetch(_ url: String, limit: Int, param: String) async throws -> [UInt8]
}
