import OmniAPI
import OmniMedia

/// Writes a clip's frames to a file as they come. Used by one thread at a time.
protocol ClipWriter {
    func append(_ frame: Picture) throws
    /// Completes the file; the bytes it has, and what differs from what was asked.
    func finish() throws -> (bytes: Int, size: ImageSize, note: String?)
    /// Removes the file, unless it is finished.
    func cancel()
}

/// Makes the writer of a job's clip. A seam: tests put disks there that are full.
typealias ClipWriterMaker = @Sendable (_ path: String, _ plan: FilmPlan, _ quality: VideoQuality?, _ mostBytes: Int?) throws -> any ClipWriter

/// An MP4.
struct MP4Writer: ClipWriter {
    private let muxer: VideoMuxer

    init(path: String, plan: FilmPlan, quality: VideoQuality?, mostBytes: Int?) throws {
        let level =
            switch quality {
            case nil: 80
            case .high: 92
            case .lossless: 100
            }
        muxer = try VideoMuxer(
            path: path, width: plan.size.width, height: plan.size.height, framesPerSecond: plan.fps, format: .mp4, quality: level, mostBytes: mostBytes)
    }

    func append(_ frame: Picture) throws { try muxer.append(frame) }

    func finish() throws -> (bytes: Int, size: ImageSize, note: String?) {
        let facts = try muxer.finish()
        return (facts.bytes, ImageSize(width: facts.width, height: facts.height), facts.note)
    }

    func cancel() { muxer.cancel() }
}
