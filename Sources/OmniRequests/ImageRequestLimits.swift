import Foundation
import OmniAPI
import OmniEngine
import OmniMedia

/// Limits on the pictures of requests.
public struct ImageRequestLimits: Sendable {
    /// Most pixels of a picture to be drawn; `--max-generated-image-size`.
    public var drawnPixels: Int
    /// Bytes of an input picture's file; `--limit-mm-bytes`.
    public var inputBytes: Int
    /// Pixels of an input picture; `--limit-mm-pixels`.
    public var inputPixels: Int
    /// Requests that may wait for their turn; `--max-queue`.
    public var queue: Int
    /// The folder that adapters may be read from; nil takes none. `--allowed-lora-path`.
    public var adapterFolder: String?
    /// Adapters that the server was started with. `--lora`.
    public var startAdapters: [String] = []
    /// How far a step's input may drift before it is computed anew; 0 computes every step. `--cache-backend tea_cache`.
    public var cacheThreshold: Float = 0

    public init(drawnPixels: Int = 7680 * 4320, inputBytes: Int = 50 << 20, inputPixels: Int = 64 << 20, queue: Int = 64) {
        self.drawnPixels = drawnPixels
        self.inputBytes = inputBytes
        self.inputPixels = inputPixels
        self.queue = queue
    }

    /// Throws 400 for a picture larger than may be drawn.
    package func check(_ size: ImageSize, param: String = "body.size") throws {
        guard size.pixels > drawnPixels else { return }
        throw APIError(
            .badRequest, "size: \(size) is \(size.pixels) pixels; this server draws at most \(drawnPixels).",
            remedy: "Ask for less, or start the server with a higher --max-generated-image-size.", param: param)
    }

    package var codec: ImageLimits { ImageLimits(fileBytes: inputBytes, pixels: inputPixels) }
}
