import NIOConcurrencyHelpers
import NIOCore

/// The API document's bytes, written once its own route stands in the table that it describes.
final class LateDocument: Sendable {
    private let box = NIOLockedValueBox(ByteBuffer())

    var bytes: ByteBuffer { box.withLockedValue { $0 } }

    func write(_ document: OpenAPIDocument) { box.withLockedValue { $0 = ByteBuffer(bytes: document.json.jsonBytes) } }
}
