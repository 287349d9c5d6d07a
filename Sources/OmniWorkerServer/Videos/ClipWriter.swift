import OmniAPI
import OmniEngine
import OmniMedia
import OmniRequests

/// Writes a clip's frames to a file as they come. Used by one thread at a time.
protocol ClipWriter {
    func append(_ frame: Picture) throws
    /// Completes the file; the bytes it has, and what differs from what was asked.
    func finish() throws -> (bytes: Int, size: ImageSize, note: String?)
    /// Removes the file, unless it is finished.
    func cancel()
}

/// Makes the writer of a job's clip. A seam: tests put disks there that are full.
typealias ClipWriterMaker =
    @Sendable (_ path: String, _ plan: VideoShape, _ quality: VideoQuality?, _ mostBytes: Int?) throws -> any ClipWriter

/// What clips are coded with.
public struct MuxingOptions: Sendable {
    /// Held for each frame: coding computes as a model does. Not the model's own, whose locks belong to its thread.
    public var lane: any ComputeLane
    /// Threads that code a frame; nil takes all cores, at most 4.
    public var threads: Int?

    public init(lane: any ComputeLane = FreeLane(), threads: Int? = nil) {
        self.lane = lane
        self.threads = threads
    }
}

/// An MP4.
struct MP4Writer: ClipWriter {
    private let muxer: VideoMuxer
    private let lane: any ComputeLane

    init(path: String, plan: VideoShape, quality: VideoQuality?, mostBytes: Int?, options: MuxingOptions) throws {
        lane = options.lane
        muxer = try VideoMuxer(
            path: path, width: plan.size.width, height: plan.size.height, framesPerSecond: plan.fps, format: .mp4,
            quality: quality == .high ? 92 : 80,
            isLossless: quality == .lossless, threads: options.threads, mostBytes: mostBytes)
    }

    func append(_ frame: Picture) throws { try lane.hold { try muxer.append(frame) } }

    func finish() throws -> (bytes: Int, size: ImageSize, note: String?) {
        // Frame by frame, so that others get their turn between; what is left is the disk's.
        while try lane.hold({ try muxer.drain() }) {}
        let facts = try muxer.finish()
        return (facts.bytes, ImageSize(width: facts.width, height: facts.height), facts.note)
    }

    func cancel() { muxer.cancel() }
}
