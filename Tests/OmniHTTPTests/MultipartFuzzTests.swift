import Foundation
import NIOCore
import OmniAPI
import OmniTestSupport
import Testing

@testable import OmniHTTP

/// Spoilt forms: the reader of whole bodies and the one of pieces agree on every one, and neither breaks.
@Suite("Forms under attack")
struct MultipartFuzzTests {
    static let pieces: [String] = [
        "--B", "\r\n--B", "\r\n--B--", "--B--", "\r\n", "\r\n\r\n", "\r", "\n", "--", "-", "B", "\0", "\u{FFFD}",
        "Content-Disposition: form-data; name=\"a\"",
        "Content-Disposition: form-data; name=\"f\"; filename=\"x.png\"", "content-disposition:form-data;name=b", "Content-Type: image/png",
        "X", ":", "; name=",
        "\"", "\\", "value", String(repeating: "v", count: 300), " ", "\t", "\r\n--Bx", "--\r\n",
    ]
    static let whole =
        "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n\r\n-B\r\n--B--"

    static func body(_ random: inout SeededGenerator) -> [UInt8] {
        if Bool.random(using: &random) {
            return (0..<Int.random(in: 0...24, using: &random)).flatMap { _ in Array((pieces.randomElement(using: &random) ?? "").utf8) }
        }
        var bytes = Array(whole.utf8)
        for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(contentsOf: Array((pieces.randomElement(using: &random) ?? "").utf8), at: place)
            default: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...40, using: &random)))
            }
        }
        return bytes
    }

    /// Names, file names and contents of the parts; nil where the form is refused.
    static func read(_ bytes: [UInt8], _ limits: FormLimits) -> [String]? {
        try? MultipartReader(boundary: "B", limits: limits).read(ByteBuffer(bytes: bytes)).parts.map {
            "\($0.name)|\($0.fileName ?? "-")|\(Array($0.body.readableBytesView))"
        }
    }

    static func streamed(_ bytes: [UInt8], _ limits: FormLimits, _ random: inout SeededGenerator) -> [String]? {
        var stream = MultipartStream(boundary: "B", limits: limits)
        var parts: [String] = []
        var content: [UInt8] = []
        var place = 0
        do {
            while place < bytes.count {
                let end = min(bytes.count, place + Int.random(in: 1...40, using: &random))
                for event in try stream.feed(ByteBuffer(bytes: bytes[place..<end])) {
                    switch event {
                    case .part(let name, let fileName, _): (content, parts) = ([], parts + ["\(name)|\(fileName ?? "-")|"])
                    case .bytes(let bytes): content += bytes.readableBytesView
                    case .partEnded: parts[parts.count - 1] += "\(content)"
                    }
                }
                place = end
            }
            try stream.finish()
            return parts
        } catch {
            return nil
        }
    }

    @Test("both readers agree on every spoilt form")
    func agreement() {
        let count = ProcessInfo.processInfo.environment["OMNI_TEST_FULL"] == "1" ? 100_000 : 1_000
        let limits = FormLimits(parts: 6, headerBytes: 200)
        var readable = 0
        for number in 0..<count {
            var random = SeededGenerator(seed: UInt64(number))
            let bytes = Self.body(&random)
            let (atOnce, inPieces) = (Self.read(bytes, limits), Self.streamed(bytes, limits, &random))
            #expect(atOnce == inPieces, "case \(number): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
            if atOnce != nil { readable += 1 }
        }
        #expect(readable > count / 50, "some must be readable, or nothing is compared")
    }
}
