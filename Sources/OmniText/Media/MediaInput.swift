import CLlama
import OmniAPI

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

    /// Decodes `bytes`. Blocks; nil when they are of no known kind.
    init?(_ bytes: [UInt8], encoder: MediaEncoder) {
        let wrapper = mtmd_helper_bitmap_init_from_buf(encoder.handle, bytes, bytes.count, false, mtmd_helper_init_opt_default())
        guard let bitmap = wrapper.bitmap else {
            if let video = wrapper.video_ctx { mtmd_helper_video_free(video) }
            return nil
        }
        handle = bitmap
        video = wrapper.video_ctx
        frames = nil
        self.encoder = encoder
    }

    /// A video whose frames are chosen as the reference does. Blocks. Throws ``APIError`` 400 for what is no video that can be read.
    init(video bytes: [UInt8], encoder: MediaEncoder, mostPixels: Int) throws {
        let frames = try VideoFrames(bytes, mostPixels: mostPixels)
        // What stands in the prompt until it is cut into pieces: any small picture, under the video's name.
        let side = 56, black = [UInt8](repeating: 0, count: side * side * 3)
        guard let bitmap = mtmd_bitmap_init(UInt32(side), UInt32(side), black) else {
            throw APIError(.internalError, "There is no memory for the media.")
        }
        mtmd_bitmap_set_id(bitmap, frames.id)
        handle = bitmap
        video = nil
        self.frames = frames
        self.encoder = encoder
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
}
