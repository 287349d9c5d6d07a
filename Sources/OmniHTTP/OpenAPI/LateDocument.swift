import NIOConcurrencyHelpers
import NIOCore
import OmniAPI

/// The API document's bytes, written once its own route stands in the table that it describes.
package final class LateDocument: Sendable {
    private let box = NIOLockedValueBox(ByteBuffer())

    package init() {}

    package var bytes: ByteBuffer { box.withLockedValue { $0 } }

    package func write(_ document: OpenAPIDocument) { box.withLockedValue { $0 = ByteBuffer(bytes: document.json.jsonBytes) } }
}
