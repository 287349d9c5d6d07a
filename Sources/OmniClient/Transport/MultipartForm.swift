import Foundation
internal import NIOCore
internal import NIOPosix
import OmniAPI

/// A file that goes to the server: from the disk, piece by piece, or from memory.
public struct Upload: Sendable {
    enum Source: Sendable {
        case file(URL)
        case bytes(Data)
    }

    let source: Source
    /// The name that the server is told.
    public var fileName: String
    public var contentType: String

    /// A file on the disk. It is read while it is sent, never whole.
    public static func file(_ url: URL) -> Upload {
        Upload(source: .file(url), fileName: url.lastPathComponent, contentType: contentType(of: url.lastPathComponent))
    }
    public static func file(_ path: String) -> Upload { file(URL(fileURLWithPath: path)) }

    /// Bytes in memory. The name's ending tells the server what they are.
    public static func data(_ data: Data, name: String) -> Upload {
        Upload(source: .bytes(data), fileName: name, contentType: contentType(of: name))
    }

    /// By the ending of a name; `application/octet-stream` where it tells nothing.
    static func contentType(of name: String) -> String {
        switch name.split(separator: ".").last?.lowercased() {
        case "png": "image/png"
        case "jpg", "jpeg": "image/jpeg"
        case "webp": "image/webp"
        case "gif": "image/gif"
        case "bmp": "image/bmp"
        case "wav": "audio/wav"
        case "mp3": "audio/mpeg"
        case "ogg", "opus": "audio/ogg"
        case "flac": "audio/flac"
        case "aac": "audio/aac"
        case "m4a": "audio/mp4"
        case "webm": "audio/webm"
        case "mp4": "video/mp4"
        case "mov": "video/quicktime"
        default: "application/octet-stream"
        }
    }

    /// Bytes. Throws ``OmniError`` where the file cannot be read.
    func length() throws -> Int {
        switch source {
        case .bytes(let data): return data.count
        case .file(let url):
            guard let size = try? FileManager.default.attributesOfItem(atPath: url.resolvingSymlinksInPath().path)[.size] as? Int else {
                throw OmniError(.file, "\(url.path) cannot be read.")
            }
            return size
        }
    }
}

/// A `multipart/form-data` body whose files are read while they are sent.
struct MultipartForm: Sendable {
    private enum Piece: Sendable {
        case text(String)
        case upload(Upload)
    }

    private let frame = MultipartFrame()
    private var pieces: [Piece] = []

    var contentType: String { frame.contentType }

    mutating func add(_ name: String, text: String) { pieces.append(.text(frame.field(name, text: text))) }

    mutating func add(_ name: String, file: Upload) {
        pieces.append(.text(frame.fileHead(name, fileName: file.fileName, contentType: file.contentType)))
        pieces.append(.upload(file))
        pieces.append(.text(frame.fileEnd))
    }

    /// Bytes of the whole body.
    func length() throws -> Int64 {
        let total = try pieces.reduce(frame.end.utf8.count) { sum, piece in
            switch piece {
            case .text(let text): sum + text.utf8.count
            case .upload(let upload): sum + (try upload.length())
            }
        }
        return Int64(total)
    }

    func body() throws -> Body { Body(pieces: try (pieces + [.text(frame.end)]).map(Self.opened)) }

    private static func opened(_ piece: Piece) throws -> Body.Piece {
        switch piece {
        case .text(let text): return .bytes(ByteBuffer(string: text))
        case .upload(let upload):
            guard case .file(let url) = upload.source else { return .bytes(try upload.buffer()) }
            guard let handle = try? FileHandle(forReadingFrom: url) else { throw OmniError(.file, "\(url.path) cannot be read.") }
            return .file(handle, url.path)
        }
    }

    /// The body's bytes, in pieces of at most 64 KiB from files.
    struct Body: AsyncSequence, Sendable {
        enum Piece: Sendable {
            case bytes(ByteBuffer)
            /// And its path.
            case file(FileHandle, String)
        }

        let pieces: [Piece]

        struct AsyncIterator: AsyncIteratorProtocol {
            var left: ArraySlice<Piece>

            mutating func next() async throws -> ByteBuffer? {
                while let piece = left.first {
                    switch piece {
                    case .bytes(let buffer):
                        left.removeFirst()
                        return buffer
                    case .file(let handle, let path):
                        // Reading blocks, so it does not happen on the threads that tasks share.
                        let buffer = try await NIOThreadPool.singleton.runIfActive { try Self.nextBytes(of: handle, at: path) }
                        if buffer.readableBytes > 0 { return buffer }
                        left.removeFirst()
                    }
                }
                return nil
            }

            /// The next bytes; empty at the end. Not with `FileHandle.read`, whose data may live as long as its thread on Apple's systems.
            private static func nextBytes(of handle: FileHandle, at path: String) throws -> ByteBuffer {
                var buffer = ByteBuffer()
                try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 64 << 10) { room in
                    while true {
                        let count = read(handle.fileDescriptor, room.baseAddress, Swift.min(room.count, 64 << 10))
                        if count >= 0 { return count }
                        guard errno == EINTR else { throw OmniError(.file, "\(path) cannot be read: \(String(cString: strerror(errno))).") }
                    }
                }
                return buffer
            }
        }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(left: pieces[...]) }
    }
}

extension Upload {
    fileprivate func buffer() throws -> ByteBuffer {
        guard case .bytes(let data) = source else { throw OmniError(.file, "\(fileName) is not in memory.") }
        return ByteBuffer(bytes: data)
    }
}
