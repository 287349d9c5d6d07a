import CLlama
import Crypto
import Foundation
import OmniAPI
import OmniMedia

/// The frames of a video that a model of the Qwen-VL family sees: two a second, at least four and at most 768, an even number, spread
/// evenly (`smart_nframes` of qwen_vl_utils).
final class VideoFrames {
    /// Of the file's bytes, in hexadecimal.
    let id: String
    let pixels: Int
    /// As the container says.
    let seconds: Double
    /// Chosen frames a second.
    let rate: Float
    private let reader: VideoReader
    private var wanted: ArraySlice<Int>
    private var place = 0

    /// Throws ``APIError`` 400 for what cannot be read.
    init(_ bytes: [UInt8], mostPixels: Int) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "omni-video-\(UUID().uuidString)").path
        // The reader wants a file; its name is gone as soon as it is open.
        guard FileManager.default.createFile(atPath: path, contents: Data(bytes), attributes: [.posixPermissions: 0o600]) else {
            throw APIError(.insufficientStorage, "There is no room for the video in \(FileManager.default.temporaryDirectory.path).")
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        reader = try VideoReader(path: path, mostPixels: mostPixels)
        id = SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
        pixels = reader.width * reader.height
        let perSecond = reader.framesPerSecond > 0 ? reader.framesPerSecond : 1
        let total = reader.frames > 0 ? reader.frames : Int(max(reader.seconds, 0) * perSecond)
        seconds = reader.seconds > 0 ? reader.seconds : Double(total) / perSecond
        wanted = Self.places(total: total, perSecond: perSecond)[...]
        rate = total > 0 && !wanted.isEmpty ? Float(Double(wanted.count) / Double(total) * perSecond) : VideoClock.framesPerSecond
        if wanted.isEmpty { wanted = [0] }
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
            return mtmd_bitmap_init(UInt32(picture.width), UInt32(picture.height), picture.pixels)
        }
        // The container promised more than there is.
        wanted.removeAll()
        return nil
    }
}
