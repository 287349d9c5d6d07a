import Foundation
import OmniAPI

/// Replies of a server, from a file in `Fixtures`: the first line that fits a request answers it. A line may ask for a
/// text in the body, and may say how often it answers.
final class Recording: Sendable {
    private struct Line: Sendable {
        var method: String
        var path: String
        var bodyHas: String?
        var status: Int
        var contentType: String
        var body: [UInt8]
        var isChunked: Bool
    }

    private let lines: [Line]

    init(_ name: String) throws {
        let url = Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "jsonl")!
        lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map { text in
            let json = try JSONValue.parse(String(text))
            let body: [UInt8]
            if let base64 = json["base64"]?.stringValue {
                body = Array(Data(base64Encoded: base64) ?? Data())
            } else {
                body = Array((json["text"]?.stringValue ?? json["json"]?.jsonText ?? "").utf8)
            }
            return Line(
                method: json["method"]?.stringValue ?? "GET", path: json["path"]?.stringValue ?? "", bodyHas: json["body_has"]?.stringValue,
                status: json["status"]?.intValue ?? 200, contentType: json["content_type"]?.stringValue ?? "application/json", body: body,
                isChunked: json["chunked"]?.boolValue ?? false)
        }
    }

    /// A deleted job is gone; before, each look finds it one state further.
    func answer(_ request: StandIn.Request) -> StandIn.Answer {
        let path = request.uri.split(separator: "?").first.map(String.init) ?? request.uri
        let fitting = lines.filter { $0.method == request.method && $0.path == path && ($0.bodyHas.map(request.text.contains) ?? true) }
        let key = "\(request.method) \(path)"
        let place = turns.next(key, isJob: fitting.count > 1 && path.hasPrefix("/v1/videos/") && request.method == "GET")
        guard let line = fitting.count > 1 && place != nil ? fitting[min(place ?? 0, fitting.count - 1)] : fitting.first else {
            return .json(#"{"detail":"Not Found"}"#, status: 404)
        }
        let pieces = line.isChunked ? line.body.chunks(of: 16) : [line.body]
        return StandIn.Answer(status: line.status, headers: [("Content-Type", line.contentType)], pieces: pieces)
    }

    private let turns = Turns()
}

extension [UInt8] {
    fileprivate func chunks(of size: Int) -> [[UInt8]] { stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) } }
}
