import Foundation
import OmniAPI

/// Replies of a server, from a file in `Fixtures`: the first line that fits a request answers it. A line may ask for a
/// text in the body, and may say how often it answers.
final class Recording: Sendable {
    struct Line: Sendable {
        var method: String
        var path: String
        var bodyHas: String?
        var status: Int
        var contentType: String
        var body: [UInt8]
        var isChunked: Bool

        init(_ json: JSONValue) {
            if let base64 = json["base64"]?.stringValue {
                body = Array(Data(base64Encoded: base64) ?? Data())
            } else {
                body = Array((json["text"]?.stringValue ?? json["json"]?.jsonText ?? "").utf8)
            }
            (method, path, bodyHas) = (json["method"]?.stringValue ?? "GET", json["path"]?.stringValue ?? "", json["body_has"]?.stringValue)
            (status, contentType) = (json["status"]?.intValue ?? 200, json["content_type"]?.stringValue ?? "application/json")
            isChunked = json["chunked"]?.boolValue ?? false
        }

        var answer: StandIn.Answer {
            StandIn.Answer(status: status, headers: [("Content-Type", contentType)], pieces: isChunked ? body.chunks(of: 16) : [body])
        }
    }

    private let lines: [Line]

    init(_ name: String) throws {
        let url = Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "jsonl")!
        lines = try Self.values(in: url).map(Line.init)
    }

    static func values(in url: URL) throws -> [JSONValue] {
        try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map { try JSONValue.parse(String($0)) }
    }

    /// A deleted job is gone; before, each look finds it one state further.
    func answer(_ request: StandIn.Request) -> StandIn.Answer {
        let path = request.uri.split(separator: "?").first.map(String.init) ?? request.uri
        let fitting = lines.filter { $0.method == request.method && $0.path == path && ($0.bodyHas.map(request.text.contains) ?? true) }
        let key = "\(request.method) \(path)"
        let place = turns.next(key, isJob: fitting.count > 1 && path.hasPrefix("/v1/videos/") && request.method == "GET")
        guard let line = place.map({ fitting[min($0, fitting.count - 1)] }) ?? fitting.first else {
            return .json(#"{"detail":"Not Found"}"#, status: 404)
        }
        return line.answer
    }

    private let turns = Turns()
}

extension [UInt8] {
    fileprivate func chunks(of size: Int) -> [[UInt8]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
