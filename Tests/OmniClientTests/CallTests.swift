import Foundation
import NIOCore
import Testing

@testable import OmniClient

@Suite("Calls before they are sent")
struct CallTests {
    @Test("base URLs with and without /v1, from the environment, and by default")
    func baseURL() {
        for text in ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", "h:1"] {
            #expect(OmniClient.Configuration(baseURL: text, environment: [:]).baseURL == "http://h:1", "\(text)")
        }
        let environment = ["OMNI_BASE_URL": "https://e/v1", "OMNI_API_KEY": "k"]
        let configuration = OmniClient.Configuration(environment: environment)
        #expect(configuration.baseURL == "https://e" && configuration.apiKey == "k")
        #expect(OmniClient.Configuration(baseURL: "http://mine", apiKey: "own", environment: environment).apiKey == "own")
        #expect(OmniClient.Configuration(environment: ["OMNI_BASE_URL": ""]).baseURL == "http://localhost:8091")
    }

    @Test("names in paths and values in queries are escaped")
    func escaping() {
        #expect(Call.get("/v1/models/\(Call.escape("a/b c?ü"))").target == "/v1/models/a%2Fb%20c%3F%C3%BC")
        #expect(Call.get("/v1/videos", query: [("after", "x&y"), ("limit", "2")]).target == "/v1/videos?after=x%26y&limit=2")
    }

    @Test("what a request leaves at its default is not sent, but for what another server's default would change")
    func body() throws {
        let call = Call.post(
            "/x", SpeechRequest("hi", voice: "joe"), always: [("response_format", "wav")],
            CallOptions(extraFields: JSONObject([("lang", "en")])))
        guard case .json(let json) = call.body else { Issue.record("not JSON"); return }
        #expect(json == ["input": "hi", "voice": "joe", "response_format": "wav", "lang": "en"])
        #expect(!call.isRepeatable)
        #expect(Call.post("/x", SpeechRequest("hi"), CallOptions(idempotencyKey: "k")).isRepeatable)
        #expect(Call.delete("/x").isRepeatable && Call.get("/x").isRepeatable)
    }

    @Test("Retry-After in seconds and as a date")
    func retryAfter() {
        let now = Date(timeIntervalSince1970: 784_111_777)
        #expect(RetryAfter.duration("3", now: now) == .seconds(3))
        #expect(RetryAfter.duration("Sun, 06 Nov 1994 08:49:47 GMT", now: now) == .seconds(10))
        #expect(RetryAfter.duration("Sun, 06 Nov 1994 08:49:27 GMT", now: now) == .seconds(0))
        for wrong in ["soon", "-1", ""] { #expect(RetryAfter.duration(wrong, now: now) == nil, "\(wrong)") }
    }

    @Test("pauses double up to the longest, a quarter by chance; Retry-After wins, unless it is too long")
    func pauses() {
        let policy = RetryPolicy(limit: 5, firstPause: .seconds(1), longestPause: .seconds(6), longestRetryAfter: .seconds(60))
        let busy = OmniError(.refused, "", status: 503)
        #expect(
            (0..<6).map { policy.pause(after: busy, attempt: $0, chance: 0) } == [
                .seconds(1), .seconds(2), .seconds(4), .seconds(6), .seconds(6), nil,
            ])
        #expect(policy.pause(after: busy, attempt: 0, chance: 1) == .milliseconds(750))
        var asking = busy
        asking.retryAfter = .seconds(30)
        #expect(policy.pause(after: asking, attempt: 0, chance: 1) == .seconds(30))
        asking.retryAfter = .seconds(61)
        #expect(policy.pause(after: asking, attempt: 0, chance: 1) == nil)
        for status in [400, 401, 404, 409, 413, 501, 507] {
            #expect(policy.pause(after: OmniError(.refused, "", status: status), attempt: 0, chance: 0) == nil, "\(status)")
        }
    }

    @Test("a form is as long as it says, and holds files from the disk and from memory")
    func form() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("omni-form-\(UUID().uuidString).wav")
        let bytes = Data((0..<200_000).map { UInt8(truncatingIfNeeded: $0) })
        try bytes.write(to: file)
        let link = file.deletingPathExtension().appendingPathExtension("link.wav")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
        defer { for url in [link, file] { try? FileManager.default.removeItem(at: url) } }
        var form = MultipartForm()
        form.add("prompt", text: "a \"b\"\r\nc")
        form.add("image", file: .file(file))
        form.add("mask", file: .data(Data([1, 2]), name: "m\"\u{301}.png"))
        form.add("link", file: .file(link))
        var body: [UInt8] = []
        for try await piece in try form.body() {
            #expect(piece.readableBytes <= 64 << 10)
            body += piece.readableBytesView
        }
        #expect(Int64(body.count) == (try form.length()))
        let text = String(decoding: body, as: UTF8.self)
        #expect(text.contains("name=\"mask\"; filename=\"m%22\u{301}.png\"\r\nContent-Type: image/png\r\n\r\n\u{1}\u{2}\r\n--"))
        #expect(text.contains("filename=\"\(file.lastPathComponent)\"\r\nContent-Type: audio/wav\r\n\r\n"))
        #expect(
            body.indices.contains { $0 + bytes.count <= body.count && body[$0] == 0 && body[$0..<$0 + bytes.count].elementsEqual(bytes) })
        form.add("gone", file: .file("/nowhere/x.png"))
        let withoutFile = form
        #expect(throws: OmniError.self) { try withoutFile.length() }
    }
}
