import CLlama
import Crypto
import OmniAPI
import OmniMedia

/// A decoded picture or sound, or a video that is decoded as it is read.
///
/// Unchecked: written once in `init`; only read after that, by the thread that cuts it into chunks.
final class MediaInput: @unchecked Sendable {
    let handle: OpaquePointer
    /// Read here, for models that have a ``VideoClock``.
    let frames: VideoFrames?
    /// Read by libmtmd.
    private let video: OpaquePointer?
    /// Kept alive: a video refers to it.
    private let encoder: MediaEncoder

    private init(_ handle: OpaquePointer?, id: String, frames: VideoFrames? = nil, video: OpaquePointer? = nil, encoder: MediaEncoder)
        throws
    {
        guard let handle else { throw APIError(.internalError, "There is no memory for the media.") }
        mtmd_bitmap_set_id(handle, id)
        (self.handle, self.frames, self.video, self.encoder) = (handle, frames, video, encoder)
    }

    /// A picture of any format that is read here, upright, what is transparent on white. Blocks. Throws ``APIError`` 400 and 413.
    convenience init(picture bytes: [UInt8], encoder: MediaEncoder, limits: MediaLimits) throws {
        let picture = try ImageCodec.decode(bytes, limits: ImageLimits(fileBytes: limits.bytes, pixels: limits.pixels)).flattened()
        try self.init(
            mtmd_bitmap_init(UInt32(picture.width), UInt32(picture.height), picture.pixels), id: Self.digest(bytes, as: "picture"),
            encoder: encoder)
    }

    /// The sound of any file that has some, at the model's rate, mixed to one channel. Blocks. Throws ``APIError`` 400, and 413 as soon as
    /// more has been decoded than may be: what a file says of its length is not believed.
    convenience init(sound bytes: [UInt8], encoder: MediaEncoder, limits: MediaLimits) throws {
        let rate = Int(mtmd_get_audio_sample_rate(encoder.handle))
        guard rate > 0 else { throw APIError(.internalError, "The model hears nothing.") }
        let reader = try AudioReader(bytes, sampleRate: rate, limits: AudioLimits(fileBytes: limits.bytes, seconds: limits.seconds))
        var samples: [Float] = []
        while let some = try reader.next() { samples += some }
        try self.init(mtmd_bitmap_init_from_audio(samples.count, samples), id: Self.digest(bytes, as: "sound"), encoder: encoder)
    }

    /// A video whose frames are chosen as the reference does. Blocks. Throws ``APIError`` 400 for what is no video that can be read.
    convenience init(video bytes: [UInt8], encoder: MediaEncoder, limits: MediaLimits) throws {
        let frames = try VideoFrames(bytes, mostPixels: limits.pixels)
        // What stands in the prompt until it is cut into pieces: any small picture, under the video's name.
        let side = 56, black = [UInt8](repeating: 0, count: side * side * 3)
        try self.init(
            mtmd_bitmap_init(UInt32(side), UInt32(side), black), id: Self.digest(bytes, as: "video"), frames: frames,
            encoder: encoder)
    }

    /// A video that libmtmd reads, for models whose choice of frames is not known here. Blocks. Throws ``APIError`` 400.
    convenience init(foreignVideo bytes: [UInt8], encoder: MediaEncoder) throws {
        let wrapper = mtmd_helper_bitmap_init_from_buf(encoder.handle, bytes, bytes.count, false, mtmd_helper_init_opt_default())
        guard let bitmap = wrapper.bitmap else {
            if let video = wrapper.video_ctx { mtmd_helper_video_free(video) }
            throw APIError(.invalidRequest, "The video cannot be decoded: it is damaged, or of a kind that this server does not read.")
        }
        try self.init(bitmap, id: Self.digest(bytes, as: "video"), video: wrapper.video_ctx, encoder: encoder)
    }

    deinit {
        mtmd_bitmap_free(handle)
        if let video { mtmd_helper_video_free(video) }
    }

    /// Size in pixels and length in seconds of a video; nil for other media.
    var videoShape: (pixels: Int, seconds: Double)? {
        if let frames { return (frames.pixels, frames.seconds) }
        guard let video else { return nil }
        let info = mtmd_helper_video_get_info(video)
        let seconds = info.fps > 0 && info.n_frames > 0 ? Double(info.n_frames) / Double(info.fps) : 0
        return (Int(info.width) * Int(info.height), seconds)
    }

    /// By what a medium is known that was read before: a file may be seen, and its sound heard.
    private static func digest(_ bytes: [UInt8], as kind: String) -> String {
        var hash = SHA256()
        hash.update(data: Array(kind.utf8))
        hash.update(data: bytes)
        return hash.finalize().hexText
    }
}
