import CZlib
import Hummingbird
import NIOCore
import OmniAPI

/// How a request's body is coded on its way (RFC 9110, 8.4).
enum ContentCoding: Sendable, Equatable {
    case identity, gzip, deflate

    /// Throws 415 naming the coding for one that is not read here, and for several one over the other.
    init(_ request: Request) throws {
        let named = request.headers[values: .contentEncoding].flatMap { $0.split(separator: ",") }.map { $0.trimming().lowercased() }.filter
        { !$0.isEmpty && $0 != "identity" }
        switch named {
        case []: self = .identity
        case ["gzip"], ["x-gzip"]: self = .gzip
        case ["deflate"]: self = .deflate
        default:
            let name = String(named.joined(separator: ", ").prefix(64))
            throw APIError(
                .unsupportedMediaType, "The body's content coding `\(name)` is not read here.",
                remedy: "Send it plain, or with `Content-Encoding: gzip` or `deflate`.")
        }
    }
}

/// A request's body as it comes, without its content coding.
package struct DecodedBody: AsyncSequence {
    package typealias Element = ByteBuffer

    let body: RequestBody
    private let inflater: Inflater?

    /// Throws 415 for a coding that is not read here.
    package init(_ request: Request) throws {
        let coding = try ContentCoding(request)
        body = request.body
        inflater = coding == .identity ? nil : Inflater(coding)
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var chunks: RequestBody.AsyncIterator
        fileprivate let inflater: Inflater?

        package mutating func next() async throws -> ByteBuffer? {
            guard let inflater else { return try await chunks.next() }
            // A few bytes may stand for many, so never on the loop.
            while true {
                if let piece = try await away(if: true, { try inflater.pull() }) { return piece }
                guard let chunk = try await chunks.next() else { break }
                inflater.push(chunk)
            }
            try inflater.finish()
            return nil
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: body.makeAsyncIterator(), inflater: inflater) }
}

/// Undoes gzip and deflate piece by piece: memory does not grow with what a few bytes may stand for.
// @unchecked: one request's task has it, wherever that runs.
final class Inflater: @unchecked Sendable {
    private let coding: ContentCoding
    private var stream = z_stream()
    private var isOpen = false
    private var input = ByteBuffer()
    /// Whether the last member of the body is whole.
    private var isWhole = false
    /// Whether there may be more to get without more to read.
    private var isFull = false
    /// Bytes that are made at a time.
    private static let piece = 64 << 10

    init(_ coding: ContentCoding) { self.coding = coding }

    deinit { if isOpen { inflateEnd(&stream) } }

    /// Takes what came.
    func push(_ chunk: ByteBuffer) { input.writeImmutableBuffer(chunk) }

    /// The next bytes, at most ``piece``; nil where more must be pushed first. Throws 400 for what is not so coded.
    func pull() throws -> ByteBuffer? {
        while input.readableBytes > 0 || isFull {
            if !isOpen { try open() }
            if isWhole {
                // gzip allows one member after the other (RFC 1952, 2.2).
                guard coding == .gzip, inflateReset(&stream) == Z_OK else { throw Self.broken("bytes follow its end") }
                isWhole = false
            }
            let (output, status) = step()
            isFull = stream.avail_out == 0 && status == Z_OK
            switch status {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END: isWhole = true
            default: throw Self.broken("it is damaged")
            }
            if output.readableBytes > 0 { return output }
        }
        return nil
    }

    private func step() -> (ByteBuffer, status: Int32) {
        var output = ByteBuffer()
        var status = Z_OK
        input.readWithUnsafeMutableReadableBytes { bytes in
            stream.next_in = bytes.bindMemory(to: UInt8.self).baseAddress
            stream.avail_in = UInt32(bytes.count)
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.piece) { space in
                stream.next_out = space.bindMemory(to: UInt8.self).baseAddress
                stream.avail_out = UInt32(Self.piece)
                status = inflate(&stream, Z_NO_FLUSH)
                return Self.piece - Int(stream.avail_out)
            }
            return bytes.count - Int(stream.avail_in)
        }
        return (output, status)
    }

    /// To be called when all is pushed and pulled. Throws 400 when the body was cut short.
    func finish() throws {
        guard isWhole || !isOpen else { throw Self.broken("it ends in its middle") }
    }

    private func open() throws {
        // 32 on top: zlib's and gzip's heads are told apart. Some clients send deflate without a head, in spite of RFC 9110, 8.4.1.2.
        let bits: Int32 = coding == .deflate && !Self.hasZlibHead(input) ? -MAX_WBITS : MAX_WBITS + 32
        guard inflateInit2_(&stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw Self.broken("there is no memory for it")
        }
        isOpen = true
    }

    private static func hasZlibHead(_ chunk: ByteBuffer) -> Bool {
        guard let head = chunk.getInteger(at: chunk.readerIndex, as: UInt16.self) else {
            return chunk.getInteger(at: chunk.readerIndex, as: UInt8.self).map { $0 & 0x0F == 8 } ?? false
        }
        return (head >> 8) & 0x0F == 8 && head % 31 == 0
    }

    private static func broken(_ reason: String) -> APIError {
        APIError(.badRequest, "The body is not coded as its Content-Encoding says: \(reason).", param: "body")
    }
}
