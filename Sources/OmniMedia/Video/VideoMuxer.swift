import CFFmpeg
import Foundation
import OmniAPI

/// Writes a video file frame by frame: ``append(_:)`` for each, ``finish()`` at the end. Colours are 4:2:0 in BT.709; of a
/// lossless video RGB, which FFmpeg and what stands on it play, and most browsers don't.
///
/// All its computing is done when a call returns, so that calls can be made under the compute lane.
///
/// It holds some twenty frames at most, however long the video. Until ``finish()`` has returned, the file is not whole; without
/// it, after an error or ``cancel()``, or when the muxer goes, the file is removed. Renaming and syncing it are the caller's.
/// Used by one task or thread at a time; a frame of 832×480 takes about 15 ms.
public final class VideoMuxer {
    public let format: VideoFormat
    private let width, height: Int
    private let isLossless: Bool
    private let encoder: String
    private let rate: Rate
    private var writer: OpaquePointer?
    private var frames = 0

    /// Makes the file, or empties the one that is there.
    ///
    /// - Parameters:
    ///   - path: where the file goes, any name.
    ///   - width: pixels of the frames to come, 2…16384; of an odd number the last column is cut off, unless the video is lossless.
    ///   - height: as `width`; of an odd number the last row is cut off, unless the video is lossless.
    ///   - framesPerSecond: above 0, up to 240; taken as the nearest fraction of whole numbers, 23.976 as 24000/1001.
    ///   - quality: 1…100; from 75 on losses are hard to see.
    ///   - isLossless: the frames come back bit for bit; `quality` counts for nothing.
    ///   - threads: that encode; nil takes all cores, at most 4.
    ///   - mostBytes: the file may not pass this; nil: no limit but the disk's.
    /// - Throws: ``APIError``: 507 when the disk is full or `mostBytes` passed, 501 when the installed FFmpeg has no encoder,
    ///   400 for sizes and rates out of range, 500 for anything else.
    public init(
        path: String, width: Int, height: Int, framesPerSecond: Double, format: VideoFormat = .mp4, quality: Int = 80,
        isLossless: Bool = false,
        threads: Int? = nil, mostBytes: Int? = nil
    ) throws {
        guard (2...16384).contains(width), (2...16384).contains(height) else {
            throw APIError.invalid("size", "A video of \(width)×\(height) pixels cannot be written; sides are 2 to 16384.")
        }
        guard framesPerSecond > 0, framesPerSecond <= 240, let rate = Rate(framesPerSecond) else {
            throw APIError.invalid("fps", "A video of \(framesPerSecond) frames a second cannot be written; 240 are most.")
        }
        (self.format, self.width, self.height, self.rate, self.isLossless) = (format, width, height, rate, isLossless)
        encoder = try format.encoder(lossless: isLossless)
        writer = try open(
            path, quality: min(100, max(1, quality)), threads: threads ?? min(4, ProcessInfo.processInfo.activeProcessorCount), mostBytes)
    }

    deinit { cancel() }

    private func open(_ path: String, quality: Int, threads: Int, _ mostBytes: Int?) throws -> OpaquePointer? {
        var writer: OpaquePointer?
        let (code, reason) = format.rawValue.withCString { muxer in
            encoder.withCString { encoder in
                var options = cff_video_options()
                options.muxer = muxer
                options.encoder = encoder
                (options.width, options.height) = (Int32(width), Int32(height))
                (options.rate, options.per) = (rate.frames, rate.seconds)
                options.quality = Int32(quality)
                options.lossless = isLossless ? 1 : 0
                options.threads = Int32(threads)
                options.most_bytes = Int64(mostBytes ?? 0)
                return FFmpeg.call { cff_video_writer_open(path, &options, &writer, $0) }
            }
        }
        guard code >= 0 else { throw Self.failure(code, reason) }
        return writer
    }

    /// The next frame, `width`×`height`; alpha is laid over black.
    public func append(_ frame: Picture) throws {
        guard let writer else { throw APIError.mediaFailure("Writing the video", "it has ended") }
        guard frame.width == width, frame.height == height else {
            throw APIError.mediaFailure(
                "Writing the video", "a frame of \(frame.width)×\(frame.height) came into a video of \(width)×\(height)")
        }
        let flat = frame.flattened(red: 0, green: 0, blue: 0)
        let (code, reason) = flat.pixels.withUnsafeBufferPointer { pixels in
            FFmpeg.call { cff_video_writer_push(writer, pixels.baseAddress, $0) }
        }
        try check(code, reason)
        frames += 1
    }

    /// Encodes one of the frames that wait for a decision, once the last has come; false when none is left. ``finish()`` does so
    /// for all of them.
    public func drain() throws -> Bool {
        guard let writer else { throw APIError.mediaFailure("Writing the video", "it has ended") }
        let (code, reason) = FFmpeg.call { cff_video_writer_drain(writer, $0) }
        try check(code, reason)
        return code > 0
    }

    /// Completes the file. Throws also when no frame came.
    public func finish() throws -> VideoFacts {
        guard let writer else { throw APIError.mediaFailure("Writing the video", "it has ended") }
        guard frames > 0 else {
            cancel()
            throw APIError.mediaFailure("Writing the video", "it has no frames")
        }
        var bytes: Int64 = 0
        let (code, reason) = FFmpeg.call { cff_video_writer_finish(writer, &bytes, $0) }
        try check(code, reason)
        cancel()
        return VideoFacts(
            width: kept(width), height: kept(height), frames: frames, framesPerSecond: rate.perSecond, bytes: Int(bytes), codec: codec,
            note: note)
    }

    /// Ends the work and removes the file, unless it is finished. Harmless when called again.
    public func cancel() {
        cff_video_writer_free(writer)
        writer = nil
    }

    private func check(_ code: Int32, _ reason: String) throws {
        guard code < 0 else { return }
        cancel()
        throw Self.failure(code, reason)
    }

    private static func failure(_ code: Int32, _ reason: String) -> APIError {
        let full = [ENOSPC, EDQUOT, EFBIG].contains(-code)
        guard full else { return .mediaFailure("Writing the video", reason) }
        return APIError(
            .insufficientStorage, "There is no room for the video: \(reason).",
            remedy: "Free disk space, or ask for a shorter or smaller video.")
    }

    private var codec: String {
        switch encoder {
        case "libvpx-vp9": "vp9"
        case "libvpx": "vp8"
        case "mpeg4": "mpeg4"
        default: "h264"
        }
    }

    /// 4:2:0 has even sides.
    private func kept(_ side: Int) -> Int { isLossless ? side : side & ~1 }

    private var note: String? {
        var sentences: [String] = []
        if (kept(width), kept(height)) != (width, height) {
            sentences.append("Videos have even sides: \(width)×\(height) was cut to \(kept(width))×\(kept(height)).")
        }
        if isLossless { sentences.append("Lossless videos are in RGB, which most browsers don't play.") }
        if encoder == "mpeg4" {
            sentences.append("The FFmpeg of this server has no H.264 encoder: this is MPEG-4 part 2, which browsers don't play.")
        }
        return sentences.isEmpty ? nil : sentences.joined(separator: " ")
    }
}

/// Frames a second as a fraction.
private struct Rate {
    let frames, seconds: Int32

    var perSecond: Double { Double(frames) / Double(seconds) }

    /// The fraction with the smallest denominator that is near enough; television's rates are over 1001.
    init?(_ perSecond: Double) {
        for seconds in [1, 1001] + Array(2...1000) {
            let frames = (perSecond * Double(seconds)).rounded()
            guard frames >= 1, abs(frames / Double(seconds) / perSecond - 1) < 2e-5 else { continue }
            (self.frames, self.seconds) = (Int32(frames), Int32(seconds))
            return
        }
        return nil
    }
}
