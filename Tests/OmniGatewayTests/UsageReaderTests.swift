import NIOCore
import OmniAPI
import OmniAccess
import Testing

@testable import OmniGateway

@Suite("Usage read from replies")
struct UsageReaderTests {
    /// What passes and what is used, the text cut into pieces of this size.
    private func read(_ text: String, _ form: UsageReader.Form, strips: Bool = false, by size: Int) -> (passed: String, used: UsedTokens) {
        var reader = UsageReader(form, strips: strips), passed = ByteBuffer()
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            passed.writeImmutableBuffer(reader.take(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)])))
        }
        passed.writeImmutableBuffer(reader.finish())
        return (String(buffer: passed), reader.used)
    }

    private let piece = #"data: {"choices":[{"delta":{"content":"say \"usage\": {\"total_tokens\":99}"}}],"usage":null}"# + "\n\n"
    private let last =
        #"data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1}}}"#
        + "\n\n"
    private let done = "data: [DONE]\n\n"

    @Test("a stream tells its usage at its end", arguments: [1, 7, 64, 4096]) func streams(size: Int) {
        let text = piece + ": keep-alive\n\n" + last + done
        let plain = read(text, .events, by: size)
        #expect(plain.passed == text && plain.used == UsedTokens(prompt: 5, completion: 2, total: 7))
        let stripped = read(text, .events, strips: true, by: size)
        #expect(stripped.passed == piece + ": keep-alive\n\n" + done && stripped.used.total == 7)
    }

    @Test("lines may end in CRLF, and a stream that breaks is passed on as far as it came") func forms() {
        let text = (piece + last).replacing("\n", with: "\r\n") + "data: {\"cho"
        #expect(read(text, .events, by: 5).used.total == 7)
        #expect(read(text, .events, strips: true, by: 5).passed == piece.replacing("\n", with: "\r\n") + "data: {\"cho")
    }

    @Test("a stream without usage costs its pieces") func pieces() {
        #expect(read(piece + piece, .events, by: 9).used == UsedTokens(completion: 2, total: 2))
    }

    @Test(
        "whole replies in every form",
        arguments: [
            (
                #"{"choices":[{"message":{"content":"\"usage\": {\"total_tokens\":99}"}}],"usage":{"prompt_tokens":3,"total_tokens":5,"completion_tokens":2}}"#,
                5
            ),
            (#"{ "usage" : { "input_tokens": 4, "output_tokens": 6 }, "text": "x" }"#, 10),
            (#"{"text":"x","usage":{"type":"duration","seconds":3}}"#, 0),
            (#"{"usage":null,"x":{"total_tokens":1}}"#, 0), (#"{"data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}"#, 8), ("", 0),
            (#"{"usage":{"#, 0),
        ])
    func whole(text: String, total: Int) {
        for size in [1, 13, 4096] {
            let (passed, used) = read(text, .json, by: size)
            #expect(passed == text && used.total == total)
        }
    }

    @Test("a reply of known length is counted before its last byte goes on") func early() {
        let text = #"{"usage":{"total_tokens":5}}"#
        var reader = UsageReader(.json, length: text.utf8.count)
        _ = reader.take(ByteBuffer(string: text))
        #expect(reader.isComplete && reader.used.total == 5)
    }

    @Test("only streams that do not ask for usage are made to") func asking() throws {
        func asked(_ json: JSONValue, _ path: String = "/v1/chat/completions") throws -> String? {
            let (request, isAsking) = UpstreamRequest(posting: json, to: path).askingForUsage()
            return isAsking ? String(buffer: try #require(request.body)) : nil
        }
        #expect(try asked(["stream": true, "n": 2]) == #"{"stream":true,"n":2,"stream_options":{"include_usage":true}}"#)
        let declined: JSONValue = ["stream": true, "stream_options": ["include_usage": false]]
        #expect(try asked(declined) == #"{"stream":true,"stream_options":{"include_usage":true}}"#)
        #expect(try asked(["stream": false]) == nil)
        #expect(try asked(["stream": true, "stream_options": ["include_usage": true]]) == nil)
        #expect(try asked(["stream": true], "/v1/audio/speech") == nil)
    }
}
