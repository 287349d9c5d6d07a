import NIOCore
import OmniGateway

extension UpstreamResponse {
    /// The whole body as text.
    func text(upTo limit: Int) async throws -> String {
        var text = ByteBuffer()
        for try await chunk in body {
            var chunk = chunk
            text.writeBuffer(&chunk)
            guard text.readableBytes <= limit else { throw NIOTooManyBytesError(maxBytes: limit) }
        }
        return String(buffer: text)
    }
}
