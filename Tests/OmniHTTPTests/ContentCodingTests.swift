import CZlib
import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import Testing

@testable import OmniHTTP

@Suite("Content codings of request bodies")
struct ContentCodingTests {
    /// Coded by zlib: `bits` 15 is deflate with a head, -15 without, 31 gzip.
    static func coded(_ bytes: [UInt8], bits: Int32) throws -> ByteBuffer {
        var stream = z_stream()
        try #require(
            deflateInit2_(&stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: bytes.count + 1024)
        let count = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(input.count))
                (stream.next_out, stream.avail_out) = (output.baseAddress, UInt32(output.count))
                return deflate(&stream, Z_FINISH) == Z_STREAM_END ? output.count - Int(stream.avail_out) : -1
            }
        }
        try #require(count >= 0)
        return ByteBuffer(bytes: output[..<count])
    }

    static func decoded(_ coding: ContentCoding, _ chunks: [ByteBuffer]) throws -> [UInt8] {
        let inflater = Inflater(coding)
        var whole: [UInt8] = []
        for chunk in chunks {
            inflater.push(chunk)
            while let piece = try inflater.pull() { whole += piece.readableBytesView }
        }
        try inflater.finish()
        return whole
    }

    static let text =
        Array(String(repeating: "a fox, a fox and a goose; ", count: 40_000).utf8)
        + (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 31) }

    @Test(
        "gzip, deflate and deflate without a head are undone, whole and byte by byte",
        arguments: [(ContentCoding.gzip, Int32(31)), (.deflate, 15), (.deflate, -15)])
    func roundTrip(coding: ContentCoding, bits: Int32) throws {
        let whole = try Self.coded(Self.text, bits: bits)
        #expect(try Self.decoded(coding, [whole]) == Self.text)
        let short = Array(Self.text[..<5000])
        let bytes = try Self.coded(short, bits: bits).readableBytesView.map { ByteBuffer(bytes: [$0]) }
        #expect(try Self.decoded(coding, bytes) == short)
    }

    @Test("members of gzip follow each other")
    func members() throws {
        var both = try Self.coded([1, 2, 3], bits: 31)
        both.writeImmutableBuffer(try Self.coded([4, 5], bits: 31))
        #expect(try Self.decoded(.gzip, [both]) == [1, 2, 3, 4, 5])
    }

    @Test("no body is no body in every coding", arguments: [ContentCoding.gzip, .deflate])
    func nothing(coding: ContentCoding) throws { #expect(try Self.decoded(coding, []) == []) }

    @Test("what is cut short, damaged or goes on is refused")
    func broken() throws {
        let good = try Self.coded(Array(Self.text[..<5000]), bits: 31)
        for length in [1, 5, 10, good.readableBytes - 1] {
            let cut = try #require(good.getSlice(at: 0, length: length))
            #expect { try Self.decoded(.gzip, [cut]) } throws: { ($0 as? APIError)?.status == 400 }
        }
        for place in 0..<good.readableBytes where place < 4 || place > 30 {
            var bytes = Array(good.readableBytesView)
            bytes[place] ^= 0x55
            _ = try? Self.decoded(.gzip, [ByteBuffer(bytes: bytes)])
        }
        var damaged = Array(good.readableBytesView)
        damaged[damaged.count - 6] ^= 1
        #expect(throws: APIError.self) { try Self.decoded(.gzip, [ByteBuffer(bytes: damaged)]) }
        #expect(throws: APIError.self) { try Self.decoded(.gzip, [ByteBuffer(string: "{\"a\":1}")]) }
        #expect(throws: APIError.self) { try Self.decoded(.deflate, [Self.coded([1], bits: 15), ByteBuffer(string: "more")]) }
    }

    @Test("a few bytes that stand for many are undone in pieces")
    func bombs() throws {
        let bomb = try Self.coded([UInt8](repeating: 0, count: 50 << 20), bits: 31)
        #expect(bomb.readableBytes < 60_000)
        let inflater = Inflater(.gzip)
        inflater.push(bomb)
        var count = 0
        while let piece = try inflater.pull() {
            #expect(piece.capacity <= 128 << 10)
            count += piece.readableBytes
        }
        #expect(count == 50 << 20)
    }

    static func coding(_ headers: [String]) throws -> ContentCoding {
        var fields = HTTPFields()
        for header in headers { fields.append(HTTPField(name: .contentEncoding, value: header)) }
        let head = HTTPRequest(method: .post, scheme: "http", authority: "x", path: "/", headerFields: fields)
        return try ContentCoding(Request(head: head, body: .init(buffer: ByteBuffer())))
    }

    @Test("headers name the coding in any case; others are refused by name")
    func names() throws {
        #expect(try Self.coding([]) == .identity && Self.coding(["identity"]) == .identity && Self.coding([""]) == .identity)
        #expect(
            try Self.coding(["GZip"]) == .gzip && Self.coding(["x-gzip"]) == .gzip && Self.coding([" deflate "]) == .deflate
                && Self.coding(["identity, gzip"]) == .gzip)
        for (headers, name) in [
            (["br"], "br"), (["zstd"], "zstd"), (["gzip, gzip"], "gzip, gzip"), (["gzip", "deflate"], "gzip, deflate"),
        ] {
            #expect { try Self.coding(headers) } throws: { error in
                let error = error as? APIError
                return error?.status == 415 && error?.message.contains("`\(name)`") == true
            }
        }
    }
}
