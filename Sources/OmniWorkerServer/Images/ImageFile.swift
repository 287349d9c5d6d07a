import NIOPosix
import OmniAPI
import OmniEngine
import OmniMedia

/// A picture as the client gets it.
struct ImageFile: Sendable {
    let bytes: [UInt8]
    let size: ImageSize

    var base64: JSONValue { .string(bytes.base64) }
    /// Of a PNG, which chats get.
    var dataURL: JSONValue { .string("data:image/png;base64," + bytes.base64) }

    /// Encodes the upper left part of an engine's picture, at most `size` large. Not on the caller's thread: it takes some
    /// 10 ms for a megapixel.
    static func encode(_ image: FloatImage, cropped size: ImageSize, as output: ImageOutput, texts: [(keyword: String, text: String)] = [])
        async throws -> ImageFile
    {
        let options = ImageCodec.Options(quality: output.quality, compression: output.pngLevel, texts: texts)
        return try await NIOThreadPool.singleton.runIfActive {
            guard let picture = picture(image, cropped: size) else {
                throw ImageModelError.notFinite(stage: "decoding", cause: "the picture has no pixels")
            }
            let format: ImageFormat =
                switch output.format {
                case .png: .png
                case .jpg, .jpeg: .jpeg
                case .webp: .webp
                }
            return ImageFile(
                bytes: try ImageCodec.encode(picture, as: format, options: options),
                size: ImageSize(width: picture.width, height: picture.height))
        }
    }

    /// Values of 0…1 as bytes, rounded as numpy rounds.
    static func picture(_ image: FloatImage, cropped size: ImageSize) -> Picture? {
        let (width, height) = (min(size.width, image.width), min(size.height, image.height))
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
            image.values.withUnsafeBufferPointer { source in
                var place = 0
                for y in 0..<height {
                    for x in 0..<width {
                        for channel in 0..<3 {
                            let value = source[(y * image.width + x) * image.channels + min(channel, image.channels - 1)]
                            buffer[place] = UInt8(max(0, min(255, (value * 255).rounded(.toNearestOrEven))))
                            place += 1
                        }
                    }
                }
            }
            count = width * height * 3
        }
        return Picture(width: width, height: height, channels: 3, pixels: pixels)
    }
}
