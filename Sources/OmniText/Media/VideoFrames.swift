import CLlama
import Foundation
import OmniAPI
import OmniMedia

/// The frames of a video that a model of the Qwen-VL family sees: two a second, at least four and at most 768, an even number, spread
/// evenly (`smart_nframes` of qwen_vl_utils), and of a size that gives two of them 128 to 768 tokens and all together some 24,576.
final class VideoFrames {
    let pixels: Int
    /// As the container says.
    let seconds: Double
    /// Chosen frames a second.
    let rate: Float
    private let reader: VideoReader
    private var wanted: ArraySlice<Int>
    private var place = 0
    private let size: (width: Int, height: Int)

    /// Throws ``APIError`` 400 for what cannot be read.
    init(_ bytes: [UInt8], mostPixels: Int) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "omni-video-\(UUID().uuidString)").path
        // The reader wants a file; its name is gone as soon as it is open.
        guard FileManager.default.createFile(atPath: path, contents: Data(bytes), attributes: [.posixPermissions: 0o600]) else {
            throw APIError(.insufficientStorage, "There is no room for the video in \(FileManager.default.temporaryDirectory.path).")
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        reader = try VideoReader(path: path, mostPixels: mostPixels)
        pixels = reader.width * reader.height
        let perSecond = reader.framesPerSecond > 0 ? reader.framesPerSecond : 1
        let total = reader.frames > 0 ? reader.frames : Int(max(reader.seconds, 0) * perSecond)
        seconds = reader.seconds > 0 ? reader.seconds : Double(total) / perSecond
        wanted = Self.places(total: total, perSecond: perSecond)[...]
        rate = total > 0 && !wanted.isEmpty ? Float(Double(wanted.count) / Double(total) * perSecond) : VideoClock.framesPerSecond
        if wanted.isEmpty { wanted = [0] }
        size = Self.size(width: reader.width, height: reader.height, frames: wanted.count)
    }

    /// The size at which frames are seen: whole tokens of 28 × 28 pixels (`smart_resize` with the limits of `fetch_video`).
    static func size(width: Int, height: Int, frames: Int) -> (width: Int, height: Int) {
        let side = 28.0, token = side * side, least = 128 * token
        let most = max(min(768 * token, 24_576 * token / Double(max(frames, 1)) * 2), (least * 1.05).rounded(.down))
        func whole(_ length: Double, _ rule: FloatingPointRoundingRule) -> Double { (length / side).rounded(rule) * side }
        let (width, height) = (Double(width), Double(height))
        var fit = (max(side, whole(width, .toNearestOrEven)), max(side, whole(height, .toNearestOrEven)))
        if fit.0 * fit.1 > most {
            let scale = (width * height / most).squareRoot()
            fit = (max(side, whole(width / scale, .down)), max(side, whole(height / scale, .down)))
        } else if fit.0 * fit.1 < least {
            let scale = (least / (width * height)).squareRoot()
            fit = (whole(width * scale, .up), whole(height * scale, .up))
        }
        return (Int(fit.0), Int(fit.1))
    }

    /// Numbers of the frames to take of `total`.
    static func places(total: Int, perSecond: Double) -> [Int] {
        let least = 4, most = min(VideoClock.mostFrames, total) / 2 * 2
        let asked = Double(total) / perSecond * Double(VideoClock.framesPerSecond)
        let count = Int(min(min(max(asked, Double(least)), Double(most)), Double(total))) / 2 * 2
        guard count > 1 else { return total > 0 ? [0] : [] }
        // Python rounds halves to even.
        return (0..<count).map { Int((Double($0) * Double(total - 1) / Double(count - 1)).rounded(.toNearestOrEven)) }
    }

    /// The next frame as a picture of libmtmd, which the caller frees; nil at the end. Throws ``APIError`` for a damaged one.
    func next() throws -> OpaquePointer? {
        guard let target = wanted.first else { return nil }
        while let picture = try reader.next() {
            defer { place += 1 }
            if place < target { continue }
            wanted.removeFirst()
            let fit = picture.resized(width: size.width, height: size.height, filter: .bicubic)
            return mtmd_bitmap_init(UInt32(fit.width), UInt32(fit.height), fit.pixels)
        }
        // The container promised more than there is.
        wanted.removeAll()
        return nil
    }
}
