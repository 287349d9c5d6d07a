import CFFmpeg
import OmniAPI

/// Reads the frames of a video file: MP4, MOV, WebM or Matroska.
///
/// Used by one task or thread at a time. Holds one frame beside what the codec keeps.
public final class VideoReader {
    /// Pixels.
    public let width: Int
    public let height: Int
    /// On average; 0 where the file does not say.
    public let framesPerSecond: Double
    public let frames: Int
    public let seconds: Double
    /// FFmpeg's name of the codec: `h264`, `vp9` …
    public let codec: String
    private let reader: OpaquePointer

    /// - Parameter mostPixels: of a frame.
    /// - Throws: ``APIError`` 400 for what is no video that can be read.
    public init(path: String, mostPixels: Int = 64 << 20) throws {
        var info = cff_video_info()
        var handle: OpaquePointer?
        let (code, reason) = FFmpeg.call { cff_video_reader_open(path, Int64(mostPixels), &handle, &info, $0) }
        guard code >= 0, let handle else { throw APIError.unreadableMedia("video", reason) }
        reader = handle
        (width, height, frames) = (Int(info.width), Int(info.height), Int(info.frames))
        (framesPerSecond, seconds, codec) = (info.fps, info.seconds, String(cString: info.codec))
    }

    deinit { cff_video_reader_free(reader) }

    /// The next frame, or nil at the end.
    public func next() throws -> Picture? {
        var start: UnsafePointer<UInt8>?
        var rowBytes: Int32 = 0
        let (code, reason) = FFmpeg.call { cff_video_reader_next(reader, &start, &rowBytes, $0) }
        guard code >= 0 else { throw APIError.unreadableMedia("video", reason) }
        guard code > 0, let start else { return nil }
        let row = width * 3
        let pixels = [UInt8](unsafeUninitializedCapacity: row * height) { buffer, count in
            for y in 0..<height {
                for x in 0..<row { buffer[y * row + x] = start[y * Int(rowBytes) + x] }
            }
            count = row * height
        }
        return Picture(trusted: pixels, width: width, height: height, channels: 3)
    }

    /// Goes to frame `index`, which ``next()`` then returns; videos with a steady rate only.
    public func seek(toFrame index: Int) throws {
        let rate = framesPerSecond > 0 ? framesPerSecond : 1
        // The middle of its time: neighbours are half a frame away, whatever the container's clock rounds.
        try seek(toSecond: (Double(max(0, index)) + 0.5) / rate)
    }

    /// Goes to the frame that is shown at that time after the beginning.
    public func seek(toSecond second: Double) throws {
        let (code, reason) = FFmpeg.call { cff_video_reader_seek(reader, second, $0) }
        guard code >= 0 else { throw APIError.unreadableMedia("video", reason) }
    }

    /// Frame `index` of the video at `path`, counted from 0. Throws 400 when the video is shorter.
    public static func frame(_ index: Int = 0, of path: String) throws -> Picture {
        let reader = try VideoReader(path: path)
        if index > 0 { try reader.seek(toFrame: index) }
        guard let picture = try reader.next() else {
            throw APIError.unreadableMedia("video", "it has no frame \(index), but \(reader.frames) frames")
        }
        return picture
    }

    /// A small picture of the video, from a third of its length, where its first frame often says little.
    ///
    /// - Parameter longestSide: pixels; a smaller video is not enlarged.
    public static func thumbnail(of path: String, longestSide: Int = 512, as format: ImageFormat = .jpeg, quality: Int = 85) throws
        -> [UInt8]
    {
        let reader = try VideoReader(path: path)
        let index = max(0, reader.frames / 3)
        if index > 0 { try reader.seek(toFrame: index) }
        guard let frame = try reader.next() else { throw APIError.unreadableMedia("video", "it has no frames") }
        let scale = min(1, Double(longestSide) / Double(max(frame.width, frame.height)))
        let small =
            scale < 1
            ? frame.resized(width: max(1, Int(Double(frame.width) * scale + 0.5)), height: max(1, Int(Double(frame.height) * scale + 0.5)))
            : frame
        return try ImageCodec.encode(small, as: format, options: .init(quality: quality))
    }
}
