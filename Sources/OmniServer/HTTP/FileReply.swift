import Foundation
import HTTPTypes
import Hummingbird
import NIOPosix
import OmniAPI

/// A file on the disk as a reply: ranges, conditions and HEAD (RFC 9110, 13 and 14). The file never changes under its name.
struct FileReply: Sendable {
    let path: String
    let contentType: String
    /// Without quotes; the same as long as the bytes are.
    let tag: String
    /// Seconds since 1970.
    let modified: Double
    var disposition: String?

    /// Throws 404 when the file is not there, 416 with `Content-Range` as a reply.
    func response(to request: Request, _ context: OmniContext) async throws -> Response {
        let path = path
        let size = try await NIOThreadPool.singleton.runIfActive { try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int }
        guard let size else { throw APIError(.notFound, "Generated video file not found on disk", remedy: "Its time may be over.") }
        var headers: HTTPFields = [.contentType: contentType, .acceptRanges: "bytes", .eTag: "\"\(tag)\"", .lastModified: Self.date(modified)]
        if let disposition { headers[.contentDisposition] = disposition }
        if isCurrent(request) { return Response(status: .notModified, headers: headers) }
        switch range(request, size) {
        case .whole:
            return Response(status: .ok, headers: headers, body: try await FileIO().loadFile(path: path, context: context))
        case .part(let range):
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound)/\(size)"
            return Response(status: .partialContent, headers: headers, body: try await FileIO().loadFile(path: path, range: range, context: context))
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
        if let condition = request.headers[.ifRange], condition != "\"\(tag)\"", condition != Self.date(modified) { return .whole }
        let ends = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map { $0.trimming() }
        guard ends.count == 2, ends.allSatisfy({ $0.isEmpty || Int($0) != nil }) else { return .whole }
        switch (Int(ends[0]), Int(ends[1])) {
        case (let first?, let last): return first < size && first <= last ?? first ? .part(first...min(last ?? size - 1, size - 1)) : (last.map { $0 < first } ?? false ? .whole : .none)
        case (nil, let count?): return count > 0 && size > 0 ? .part(max(0, size - count)...size - 1) : .none
        case (nil, nil): return .whole
        }
    }

    private func isCurrent(_ request: Request) -> Bool {
        if let tags = request.headers[.ifNoneMatch] {
            return tags.split(separator: ",").map { $0.trimming() }.contains { $0 == "*" || $0 == "\"\(tag)\"" || $0 == "W/\"\(tag)\"" }
        }
        return request.headers[.ifModifiedSince] == Self.date(modified)
    }

    private static func date(_ seconds: Double) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.string(from: Date(timeIntervalSince1970: seconds))
    }
}
