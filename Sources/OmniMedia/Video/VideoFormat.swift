import CFFmpeg
import OmniAPI

/// A kind of video file that is written.
public enum VideoFormat: String, CaseIterable, Sendable {
    /// H.264, which plays everywhere; the index comes first, so that playing begins before everything is there.
    case mp4
    /// VP9, or VP8 where the installed FFmpeg has no VP9.
    case webm

    public var contentType: String { "video/\(rawValue)" }
    public var fileExtension: String { rawValue }

    /// FFmpeg's encoders that can make it, best first.
    private var encoders: [String] {
        switch self {
        case .mp4: ["libx264", "libopenh264", "h264_videotoolbox", "mpeg4"]
        case .webm: ["libvpx-vp9", "libvpx"]
        }
    }

    /// Those of them that can give pictures back bit for bit, in RGB.
    private var losslessEncoders: [String] {
        switch self {
        case .mp4: ["libx264rgb"]
        case .webm: ["libvpx-vp9"]
        }
    }

    /// The first encoder that the installed FFmpeg has. Throws 501 where it has none.
    @discardableResult
    public func encoder(lossless: Bool = false) throws -> String {
        let encoders = lossless ? losslessEncoders : encoders
        if let found = encoders.first(where: { cff_has_encoder($0) != 0 }) { return found }
        throw APIError(
            .notImplemented, "The FFmpeg of this server cannot write \(lossless ? "lossless " : "")\(rawValue).",
            remedy: "Install an FFmpeg with one of these encoders: \(encoders.joined(separator: ", ")).")
    }
}

/// A video file that was written.
public struct VideoFacts: Sendable, Equatable {
    /// Pixels.
    public var width: Int
    public var height: Int
    public var frames: Int
    public var framesPerSecond: Double
    public var bytes: Int
    /// `h264`, `vp9`, `vp8`; `mpeg4` where the installed FFmpeg has no H.264.
    public var codec: String
    /// What differs from what was asked, as sentences: a row that was cut off, another codec. nil when nothing does.
    public var note: String?

    public var seconds: Double { Double(frames) / framesPerSecond }
}
