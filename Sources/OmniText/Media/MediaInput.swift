import CLlama
import OmniAPI

/// A decoded picture or sound, or a video that is decoded as it is read.
///
/// Unchecked: written once in `init`; only read after that, by the thread that cuts it into chunks.
final class MediaInput: @unchecked Sendable {
    let handle: OpaquePointer
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
        self.encoder = encoder
    }

    deinit {
        mtmd_bitmap_free(handle)
        if let video { mtmd_helper_video_free(video) }
    }

    /// Size in pixels and length in seconds of a video; nil for other media.
    var videoShape: (pixels: Int, seconds: Double)? {
        guard let video else { return nil }
        let info = mtmd_helper_video_get_info(video)
        let seconds = info.fps > 0 && info.n_frames > 0 ? Double(info.n_frames) / Double(info.fps) : 0
        return (Int(info.width) * Int(info.height), seconds)
    }
}
