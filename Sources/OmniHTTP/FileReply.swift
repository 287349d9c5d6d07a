import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import OmniAPI

/// A file on the disk as a reply: ranges, conditions and HEAD (RFC 9110, 13 and 14). The file never changes under its name.
package struct FileReply: Sendable {
    let path: String
    let contentType: String
    /// Without quotes; the same as long as the bytes are.
    let tag: String
    /// Seconds since 1970.
    let modified: Double
    var disposition: String?

    package init(path: String, contentType: String, tag: String, modified: Double, disposition: String? = nil) {
        (self.path, self.contentType, self.tag, self.modified, self.disposition) = (path, contentType, tag, modified, disposition)
    }

    /// Throws 404 when the file is not there, 416 with `Content-Range` as a reply.
    package func response(to request: Request, _ context: OmniContext) async throws -> Response {
        let path = path
        // Opened before the head is sent: what is removed meanwhile is still sent whole.
        let file = try await NIOThreadPool.singleton.runIfActive { OpenFile(path) }
        guard let file else { throw APIError(.notFound, "Generated video file not found on disk", remedy: "Its time may be over.") }
        var headers: HTTPFields = [
            .contentType: contentType, .acceptRanges: "bytes", .eTag: "\"\(tag)\"", .lastModified: HTTPTime(seconds: modified).text,
        ]
        if let disposition { headers[.contentDisposition] = disposition }
        if isCurrent(request) { return Response(status: .notModified, headers: headers) }
        let size = file.size
        switch range(request, size) {
        case .whole:
            return Response(status: .ok, headers: headers, body: file.body(0..<size))
        case .part(let range):
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound)/\(size)"
            return Response(status: .partialContent, headers: headers, body: file.body(range.lowerBound..<range.upperBound + 1))
        case .none:
            headers[.contentRange] = "bytes */\(size)"
            headers[.contentType] = nil
            return Response(status: .rangeNotSatisfiable, headers: headers)
        }
    }

    private enum Part { case whole, part(ClosedRange<Int>), none }

    /// Of several ranges none is honoured, which RFC 9110, 14.2, allows: the reply is then the whole file.
    private func range(_ request: Request, _ size: Int) -> Part {
        guard let text = request.headers[.range], text.lowercased().hasPrefix("bytes="), !text.contains(",") else { return .whole }
        let own: Set<String> = ["\"\(tag)\"", HTTPTime(seconds: modified).text]
        if let condition = request.headers[.ifRange], !own.contains(condition) { return .whole }
        let ends = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map { $0.trimming() }
        guard ends.count == 2, ends.allSatisfy({ $0.isEmpty || Int($0) != nil }) else { return .whole }
        let last = Int(ends[1])
        if let first = Int(ends[0]) {
            let end = min(last ?? Int.max, size - 1)
            if let last, last < first { return .whole }
            return first < size ? .part(first...end) : .none
        }
        guard let last else { return .whole }
        return last > 0 && size > 0 ? .part(max(0, size - last)...(size - 1)) : .none
    }

    private func isCurrent(_ request: Request) -> Bool {
        if let tags = request.headers[.ifNoneMatch] {
            let own: Set<String> = ["*", "\"\(tag)\"", "W/\"\(tag)\""]
            return tags.split(separator: ",").contains { own.contains($0.trimming()) }
        }
        return request.headers[.ifModifiedSince] == HTTPTime(seconds: modified).text
    }
}

/// A file that is open for reading, as the body of a reply; closed with its last user.
private final class OpenFile: Sendable {
    private let descriptor: CInt
    let size: Int
    /// Bytes that are read at a time.
    private static let piece = 128 * 1024

    /// Nil where the file cannot be opened. Blocks its thread.
    init?(_ path: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            return nil
        }
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    func body(_ range: Range<Int>) -> ResponseBody {
        ResponseBody(contentLength: range.count) { writer in
            var place = range.lowerBound
            while place < range.upperBound {
                let buffer = try await self.read(place, min(Self.piece, range.upperBound - place))
                place += buffer.readableBytes
                try await writer.write(buffer)
            }
            try await writer.finish(nil)
        }
    }

    /// At least one byte from `offset` on; throws where there are none.
    private func read(_ offset: Int, _ count: Int) async throws -> ByteBuffer {
        try await NIOThreadPool.singleton.runIfActive { [self] in
            var buffer = ByteBuffer()
            try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
                let got = pread(descriptor, bytes.baseAddress, count, off_t(offset))
                guard got > 0 else { throw IOError(errnoCode: got < 0 ? errno : EIO, reason: "pread") }
                return got
            }
            return buffer
        }
    }
}
