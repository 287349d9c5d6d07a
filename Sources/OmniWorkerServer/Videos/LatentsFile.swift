import Crypto
import Foundation
import OmniEngine
import OmniStore

/// Finished latents on the disk: a mark, the shape, a SHA-256 of the values, the values. Kept until the clip is there, so that
/// decoding and muxing can be tried again without the hours before them.
enum LatentsFile {
    private static let mark = Array("OMNILAT1".utf8)
    private static let headerBytes = 8 + 4 * 4 + 32

    static func bytes(_ latents: VideoLatents) -> Int { headerBytes + latents.values.count * 4 }

    /// Blocks on the disk. Throws ``APIError`` 507 when it is full.
    static func write(_ latents: VideoLatents, to path: String) throws {
        // Little-endian throughout, as all machines are that this runs on.
        try latents.values.withUnsafeBytes { values in
            var header = mark
            for side in latents.shape { withUnsafeBytes(of: UInt32(side).littleEndian) { header.append(contentsOf: $0) } }
            header.append(contentsOf: SHA256.hash(data: values))
            try header.withUnsafeBytes { try DurableFile.write([$0, values], to: path) }
        }
    }

    /// Nil unless the file is there and whole.
    static func read(_ path: String) -> VideoLatents? {
        guard let data = try? Data(contentsOf: URL(filePath: path), options: .mappedIfSafe), data.count > headerBytes,
            data.starts(with: mark)
        else { return nil }
        let shape = (0..<4).map { place in (0..<4).reduce(0) { $0 | Int(data[8 + place * 4 + $1]) << (8 * $1) } }
        let values = data.dropFirst(headerBytes)
        guard values.count % 4 == 0, SHA256.hash(data: values).elementsEqual(data[24..<headerBytes]) else { return nil }
        let floats = [Float](unsafeUninitializedCapacity: values.count / 4) { buffer, count in
            count = values.copyBytes(to: buffer) / 4
        }
        return VideoLatents(shape: shape, values: floats)
    }
}
