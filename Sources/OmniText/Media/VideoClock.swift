import Foundation
import OmniGGUF

/// How the Qwen-VL family reads a video: two frames a second, two of which the encoder takes at once, each such pair some positions
/// after the one before it. Other models get a video as pictures with times between them, from libmtmd.
struct VideoClock: Sendable {
    /// Positions of a second.
    let positionsPerSecond: Double

    static let framesPerSecond: Float = 2
    /// A longer video has fewer frames a second.
    static let mostFrames = 768
    static let framesPerPiece = 2

    /// Nil for projectors of other models. Source: `get_rope_index` of each model in transformers, with two frames a second.
    init?(projector: String) {
        switch projector {
        case "qwen2vl_merger": positionsPerSecond = 1
        case "qwen2.5vl_merger": positionsPerSecond = 2
        case "qwen2.5o": positionsPerSecond = 25
        default: return nil
        }
    }

    /// That of the mmproj at `path`.
    init?(mmproj path: String) {
        guard let header = try? GGUFHeader(readingFrom: URL(filePath: path)) else { return nil }
        self.init(projector: header.string("clip.projector_type") ?? header.string("clip.vision.projector_type") ?? "")
    }

    /// Positions from the video's beginning to its piece `number`, at `rate` frames a second.
    func delay(of number: Int, rate: Float) -> Int32 {
        let secondsPerPiece = Float(Self.framesPerPiece) / rate
        return Int32(Float(number) * secondsPerPiece * Float(positionsPerSecond))
    }
}
