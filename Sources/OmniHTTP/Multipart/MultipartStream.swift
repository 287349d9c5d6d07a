import Foundation
import NIOCore
import OmniAPI

/// Reads `multipart/form-data` (RFC 7578) piece by piece as it comes from the wire: memory does not grow with the form, and what is
/// in a part is not copied. A pure state machine.
package struct MultipartStream {
    package enum Event {
        /// The next part begins. `fileName` is nil for a text field.
        case part(name: String, fileName: String?, contentType: String?)
        case bytes(ByteBuffer)
        case partEnded
    }

    private enum State { case start, preamble, headers, body, over }

    private let limits: FormLimits
    private let delimiter: [UInt8]
    private var state = State.start
    private var pending = ByteBuffer()
    private var parts = 0

    package init(boundary: String, limits: FormLimits = FormLimits()) {
        self.limits = limits
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    /// Takes what came and tells what it holds. Throws ``APIError``: 400 for what is no such form, 413 for what passes a limit.
    package mutating func feed(_ chunk: ByteBuffer) throws -> [Event] {
        if pending.readableBytes == 0 { pending = chunk } else { pending.writeImmutableBuffer(chunk) }
        var events: [Event] = []
        while try step(&events) {}
        pending.discardReadBytes()
        return events
    }

    /// To be called after the last chunk. Throws 400 when the form was cut short.
    package func finish() throws {
        switch state {
        case .over: return
        case .start, .preamble: throw Self.broken("its boundary does not occur")
        case .headers: throw Self.broken("it ends inside a part's headers")
        case .body: throw Self.broken("it ends inside a part")
        }
    }

    /// False when more bytes are needed.
    private mutating func step(_ events: inout [Event]) throws -> Bool {
        switch state {
        case .over:
            pending = ByteBuffer()
            return false
        case .start:
            // A body may begin with its boundary, without the line end before it.
            let (first, bytes) = (delimiter[2...], pending.readableBytesView)
            if bytes.count < first.count, first.starts(with: bytes) { return false }
            let isThere = bytes.starts(with: first)
            if isThere { pending.moveReaderIndex(forwardBy: first.count) }
            // What stands before the first boundary is for readers without MIME.
            state = isThere ? .headers : .preamble
        case .preamble:
            guard let place = pending.place(of: delimiter) else {
                keepTail()
                return false
            }
            pending.moveReaderIndex(forwardBy: place + delimiter.count)
            state = .headers
        case .headers:
            let bytes = pending.readableBytesView
            guard bytes.count >= 2 else { return false }
            if bytes.starts(with: Array("--".utf8)) {
                state = .over
                return true
            }
            guard let end = pending.place(of: [0x0D, 0x0A, 0x0D, 0x0A]) else {
                guard bytes.count <= limits.headerBytes else {
                    throw Self.tooMuch("has a part with more than \(limits.headerBytes) bytes of headers")
                }
                return false
            }
            guard end <= limits.headerBytes else { throw Self.tooMuch("has a part with more than \(limits.headerBytes) bytes of headers") }
            parts += 1
            guard parts <= limits.parts else { throw Self.tooMuch("has more than \(limits.parts) parts") }
            let text = pending.readString(length: end) ?? ""
            // The empty line's second half stays: an empty part's boundary begins with it.
            pending.moveReaderIndex(forwardBy: 2)
            guard let lineEnd = text.firstIndex(where: \.isNewline), text[lineEnd] == "\r\n",
                text[..<lineEnd].allSatisfy({ $0 == " " || $0 == "\t" })
            else {
                throw Self.broken("a boundary is not followed by a line end")
            }
            events.append(try Self.part(headers: String(text[text.index(after: lineEnd)...])))
            state = .body
            unread = 2
        case .body: return try bodyStep(&events)
        }
        return true
    }

    /// Bytes of the line end before a part's content that are still to come.
    private var unread = 0

    private mutating func bodyStep(_ events: inout [Event]) throws -> Bool {
        if let place = pending.place(of: delimiter) {
            emit(place, &events)
            pending.moveReaderIndex(forwardBy: delimiter.count)
            events.append(.partEnded)
            state = .headers
            return true
        }
        // What could be the beginning of a boundary waits for the rest.
        emit(max(0, pending.readableBytes - delimiter.count + 1), &events)
        return false
    }

    private mutating func emit(_ count: Int, _ events: inout [Event]) {
        guard count > 0, var bytes = pending.readSlice(length: count) else { return }
        let skipped = min(unread, count)
        unread -= skipped
        bytes.moveReaderIndex(forwardBy: skipped)
        if bytes.readableBytes > 0 { events.append(.bytes(bytes)) }
    }

    private mutating func keepTail() {
        let spare = pending.readableBytes - delimiter.count + 1
        if spare > 0 { pending.moveReaderIndex(forwardBy: spare) }
    }

    private static func part(headers text: String) throws -> Event {
        var disposition: [String: String]?
        var contentType: String?
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { throw broken("a part has a header without a colon") }
            let value = String(line[line.index(after: colon)...])
            switch line[..<colon].lowercased() {
            case "content-disposition":
                let (kind, parameters) = HeaderParameters.parse(value)
                if kind.lowercased() == "form-data" { disposition = parameters }
            case "content-type": contentType = value[...].trimming()
            default: break
            }
        }
        guard let disposition, let name = disposition["name"], !name.isEmpty, name.utf8.count <= 256 else {
            throw broken("a part has no name")
        }
        return .part(name: name, fileName: disposition["filename"] ?? disposition["filename*"], contentType: contentType)
    }

    private static func broken(_ reason: String) -> APIError {
        APIError(.badRequest, "The body is not a readable multipart form: \(reason).", param: "body")
    }

    package static func tooMuch(_ what: String) -> APIError {
        APIError(.tooLarge, "The form \(what).", remedy: "Send less at once.", param: "body")
    }

    package static func textTooLong(_ limits: FormLimits) -> APIError { tooMuch("has a text field of more than \(limits.textBytes) bytes") }
}

extension ByteBuffer {
    /// Bytes before the first place where `pattern` stands.
    fileprivate func place(of pattern: [UInt8]) -> Int? {
        withUnsafeReadableBytes { bytes in
            guard let base = bytes.baseAddress, let first = pattern.first else { return nil }
            var place = 0
            while place + pattern.count <= bytes.count {
                // The C functions run at memory speed, also in debug builds; bodies have tens of megabytes.
                guard let hit = memchr(base + place, Int32(first), bytes.count - pattern.count + 1 - place) else { return nil }
                place = UnsafeRawPointer(hit) - base
                if memcmp(base + place, pattern, pattern.count) == 0 { return place }
                place += 1
            }
            return nil
        }
    }
}
