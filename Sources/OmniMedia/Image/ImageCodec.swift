import CFFmpeg
import OmniAPI

/// How large a picture may be to be decoded.
public struct ImageLimits: Sendable {
    /// Bytes of the file itself.
    public var fileBytes: Int
    /// Width × height.
    public var pixels: Int

    public init(fileBytes: Int = 50 << 20, pixels: Int = 64 << 20) {
        self.fileBytes = fileBytes
        self.pixels = pixels
    }
}

/// Pictures to and from files in memory. All calls block while they work: some 10 ms for a megapixel.
public enum ImageCodec {
    /// Decodes PNG, JPEG, WebP, GIF (of an animation its first frame) or BMP, upright as EXIF says.
    ///
    /// Throws ``APIError``: 413 naming the limit that is passed, before its pixels take memory; 400 for what is no picture.
    public static func decode(_ file: [UInt8], limits: ImageLimits = ImageLimits()) throws -> Picture {
        guard file.count <= limits.fileBytes else {
            throw APIError.mediaTooLarge("picture", "\(file.count) bytes", limit: "\(limits.fileBytes) bytes")
        }
        guard let format = ImageFormat(signatureOf: file) else {
            let known = ImageFormat.allCases.map { $0.rawValue.uppercased() }.joined(separator: ", ")
            throw APIError.unreadableMedia("picture", file.isEmpty ? "it is empty" : "it is none of \(known)")
        }
        let header = ImageHeader(file, format: format)
        var room = limits.pixels
        if let width = header.width, let height = header.height {
            let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
            guard !overflow, pixels <= limits.pixels else {
                throw APIError.mediaTooLarge("picture", "\(width)×\(height) pixels", limit: "\(limits.pixels) pixels")
            }
            // FFmpeg counts rows as long as it stores them.
            room = max(room, (width + 127) / 64 * 64 * height)
        }
        guard format == .webp, let animation = WebPAnimation(file) else {
            return try decodePixels(file, format, room).upright(fromEXIF: header.orientation)
        }
        return animation.onCanvas(try decodePixels(animation.still, format, room)).upright(fromEXIF: header.orientation)
    }

    private static func decodePixels(_ file: [UInt8], _ format: ImageFormat, _ mostPixels: Int) throws -> Picture {
        var image = cff_image()
        let (code, reason) = file.withUnsafeBufferPointer { bytes in
            FFmpeg.call { cff_image_decode(format.decoder, bytes.baseAddress, bytes.count, Int64(mostPixels), &image, $0) }
        }
        guard code >= 0, let pixels = image.pixels else { throw APIError.unreadableMedia("picture", reason) }
        defer { cff_free(pixels) }
        let (width, height, channels) = (Int(image.width), Int(image.height), Int(image.channels))
        let copy = Array(UnsafeBufferPointer(start: pixels, count: width * height * channels))
        return Picture(trusted: copy, width: width, height: height, channels: channels)
    }

    /// How a picture is written.
    public struct Options: Sendable {
        /// 1…100 for JPEG and WebP; more is better and larger.
        public var quality: Int
        /// 0…9 for PNG: 0 does not compress, 9 is slowest and smallest.
        public var compression: Int
        /// WebP without loss.
        public var lossless: Bool
        /// Texts to store in a PNG file under their keywords: prompt, seed and the like.
        public var texts: [(keyword: String, text: String)]

        public init(quality: Int = 90, compression: Int = 4, lossless: Bool = false, texts: [(keyword: String, text: String)] = []) {
            self.quality = quality
            self.compression = compression
            self.lossless = lossless
            self.texts = texts
        }
    }

    /// Encodes as PNG, JPEG (alpha laid over white) or WebP. Throws ``APIError`` 400 for the formats that are only read.
    public static func encode(_ picture: Picture, as format: ImageFormat, options: Options = Options()) throws -> [UInt8] {
        guard let encoder = format.encoder else {
            throw APIError.invalid(nil, "Pictures are not written as \(format.rawValue).", remedy: "Use png, jpeg or webp.")
        }
        let picture = format == .jpeg ? picture.flattened() : picture
        let file = try encode(picture, encoder, options, slowest: format == .webp ? 6 : 9)
        return format == .png && !options.texts.isEmpty ? PNGText.insert(options.texts, into: file) : file
    }

    private static func encode(_ picture: Picture, _ encoder: String, _ options: Options, slowest: Int) throws -> [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        var size = 0
        let (code, reason) = encoder.withCString { name in
            var settings = cff_image_options()
            settings.encoder = name
            settings.quality = Int32(min(100, max(1, options.quality)))
            settings.compression = Int32(min(slowest, max(0, options.compression)))
            settings.lossless = options.lossless ? 1 : 0
            return picture.pixels.withUnsafeBufferPointer { pixels in
                FFmpeg.call {
                    cff_image_encode(
                        &settings, pixels.baseAddress, Int32(picture.width), Int32(picture.height), Int32(picture.channels), &bytes, &size,
                        $0)
                }
            }
        }
        guard code >= 0, let bytes else { throw APIError.mediaFailure("Encoding the picture", reason) }
        defer { cff_free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: size))
    }
}
