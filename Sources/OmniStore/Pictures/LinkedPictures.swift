import Foundation
import OmniAPI

/// Pictures that a link leads to, each for an hour: files in a folder, which is emptied when the server starts.
public actor LinkedPictures {
    /// A picture that is there.
    public struct Picture: Sendable, Equatable {
        public let id: String
        public let path: String
        /// `image/png` and the like.
        public let contentType: String
        public let bytes: Int
        /// Seconds since 1970.
        public let made: Double
    }

    /// Seconds that a picture is kept.
    public static let lifetime = 3600.0

    private let folder: URL
    /// Most bytes of all pictures together: the oldest go first.
    private let quota: Int
    private let now: @Sendable () -> Double
    /// The oldest first.
    private var pictures: [Picture] = []
    private var cleaning: Task<Void, any Error>?

    public init(folder: URL, quota: Int = 256 << 20, now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }) {
        (self.folder, self.quota, self.now) = (folder, quota, now)
    }

    /// Keeps a picture. Its id cannot be guessed: who knows it may see the picture. Throws ``APIError`` 507 when the disk is full, or the
    /// picture is larger than the quota.
    public func keep(_ bytes: [UInt8], contentType: String) async throws -> Picture {
        guard bytes.count <= quota else {
            throw APIError(.insufficientStorage, "A picture of \(bytes.count) bytes has no place behind a link, where \(quota) are kept.")
        }
        try await clean()
        let id = "img_" + (0..<32).map { _ in String(Int.random(in: 0...15), radix: 16) }.joined()
        let path = folder.appending(path: id).path
        try await onDisk { try DurableFile.write(bytes, to: path) }
        let picture = Picture(id: id, path: path, contentType: contentType, bytes: bytes.count, made: now())
        pictures.append(picture)
        drop()
        return picture
    }

    /// The picture of that id; nil where there is none, or its hour is over.
    public func picture(_ id: String) -> Picture? {
        drop()
        return pictures.first { $0.id == id }
    }

    private func drop() {
        let oldest = now() - Self.lifetime
        var sum = pictures.reduce(0) { $0 + $1.bytes }
        while let first = pictures.first, first.made <= oldest || sum > quota {
            sum -= first.bytes
            pictures.removeFirst()
            try? FileManager.default.removeItem(atPath: first.path)
        }
    }

    /// What an earlier server left has no link any more. Whoever comes meanwhile waits too; after a failure the next one tries again.
    private func clean() async throws {
        let work =
            cleaning
            ?? Task { [folder] in
                try await onDisk {
                    try? FileManager.default.removeItem(at: folder)
                    do {
                        try FileManager.default.createDirectory(
                            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
                    } catch {
                        throw APIError(.insufficientStorage, "The folder for pictures cannot be made: \(error.localizedDescription)")
                    }
                }
            }
        cleaning = work
        do {
            try await work.value
        } catch {
            cleaning = nil
            throw error
        }
    }
}
