import Foundation
import NIOCore
import OmniAPI
import OmniStore
import Testing

@testable import OmniHTTP

/// The streaming reader finds what the whole reader finds, however the bytes are cut.
@Suite struct MultipartStreamTests {
    static let forms = [
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n\r\n--\r\n-b\r\n--c\r\n-\r\n--b--\r\n",
        "preamble\r\n--b  \r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n\r\n--b--\r\nepilogue",
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--b--",
        "--b--",
    ]

    private func read(_ text: String, by size: Int) throws -> [[String]] {
        var stream = MultipartStream(boundary: "b")
        var parts: [[String]] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            for event in try stream.feed(ByteBuffer(bytes: bytes[start..<min(bytes.count, start + size)])) {
                switch event {
                case .part(let name, let fileName, _): parts.append([name, fileName ?? "-", ""])
                case .bytes(let bytes): parts[parts.count - 1][2] += String(buffer: bytes)
                case .partEnded: parts[parts.count - 1].append("whole")
                }
            }
        }
        try stream.finish()
        return parts
    }

    @Test(arguments: forms, [1, 2, 3, 7, 1000]) func cutAnywhere(form: String, size: Int) throws {
        let whole = try MultipartReader(boundary: "b").read(ByteBuffer(string: form))
        #expect(try read(form, by: size) == whole.parts.map { [$0.name, $0.fileName ?? "-", $0.text ?? "", "whole"] })
    }

    @Test(
        arguments: [
            "", "--c--", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhalf", "--b\r\nContent-Disp", "--bx\r\n\r\n\r\n--b--",
        ], [1, 1000])
    func whatIsCutShortIsRefused(form: String, size: Int) {
        let error = #expect(throws: APIError.self) { try read(form, by: size) }
        #expect(error?.status == 400)
    }

    @Test func endlessHeadersAndPartsAreRefused() {
        let part = "\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"
        for text in [String(repeating: part, count: 300), "--b\r\nX: " + String(repeating: "a", count: 9000)] {
            let error = #expect(throws: APIError.self) { try read(text, by: 1000) }
            #expect(error?.status == 413)
        }
    }

    @Test func memoryDoesNotGrowWithAFile() throws {
        var stream = MultipartStream(boundary: "b")
        _ = try stream.feed(ByteBuffer(string: "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n"))
        var bytes = 0
        for _ in 0..<64 {
            let events = try stream.feed(ByteBuffer(repeating: 13, count: 64 << 10))
            for case .bytes(let chunk) in events { bytes += chunk.readableBytes }
        }
        #expect((64 << 16) - bytes < 16, "all but what could be a boundary has gone out")
    }
}
