/// A kind of picture file.
public enum ImageFormat: String, CaseIterable, Sendable {
    case png, jpeg, webp, gif, bmp

    public var contentType: String { "image/\(rawValue)" }

    /// The formats that are written.
    public static let encodable: [ImageFormat] = [.png, .jpeg, .webp]

    /// Recognises a file by its first bytes; its name and declared type don't count.
    public init?(signatureOf file: [UInt8]) {
        func begins(_ signature: [UInt8], at place: Int = 0) -> Bool {
            file.count >= place + signature.count && file[place..<place + signature.count].elementsEqual(signature)
        }
        if begins([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if begins([0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if begins(Array("RIFF".utf8)), begins(Array("WEBP".utf8), at: 8) {
            self = .webp
        } else if begins(Array("GIF87a".utf8)) || begins(Array("GIF89a".utf8)) {
            self = .gif
        } else if begins(Array("BM".utf8)) {
            self = .bmp
        } else {
            return nil
        }
    }

    /// FFmpeg's decoder.
    var decoder: String { self == .jpeg ? "mjpeg" : rawValue }

    /// FFmpeg's encoder.
    var encoder: String? {
        switch self {
        case .png: "png"
        case .jpeg: "mjpeg"
        case .webp: "libwebp"
        case .gif, .bmp: nil
        }
    }
}
