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
        let own: Set<String> = ["\"\(tag)\"", Self.date(modified)]
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
