import NIOCore
import OmniAPI

/// Reads `multipart/form-data` (RFC 7578) piece by piece as it comes from the wire: memory does not grow with the form.
/// A pure state machine; ``MultipartReader`` does the same for a body that is there whole.
struct MultipartStream {
    enum Event {
        /// The next part begins. `fileName` is nil for a text field.
        case part(name: String, fileName: String?, contentType: String?)
        case bytes(ByteBuffer)
        case partEnded
    }

    private enum State { case preamble, headers, body, over }

    private let reader: MultipartReader
    private let delimiter: [UInt8]
    private var state = State.preamble
    private var pending = ByteBuffer(string: "\r\n")  // a body may begin with its boundary
    private var parts = 0

    init(boundary: String, limits: FormLimits = FormLimits()) {
        reader = MultipartReader(boundary: boundary, limits: limits)
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    /// Takes what came and tells what it holds. Throws ``APIError``: 400 for what is no such form, 413 for what passes a limit.
    mutating func feed(_ chunk: ByteBuffer) throws -> [Event] {
        var chunk = chunk
        pending.writeBuffer(&chunk)
        var events: [Event] = []
        while try step(&events) {}
        pending.discardReadBytes()
        return events
    }

    /// To be called after the last chunk. Throws 400 when the form was cut short.
    func finish() throws {
        switch state {
        case .over: return
        case .preamble: throw MultipartReader.broken("its boundary does not occur")
        case .headers: throw MultipartReader.broken("it ends inside a part's headers")
        case .body: throw MultipartReader.broken("it ends inside a part")
        }
    }

    /// False when more bytes are needed.
    private mutating func step(_ events: inout [Event]) throws -> Bool {
        switch state {
        case .over:
            pending.clear()
            return false
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
                guard bytes.count <= reader.limits.headerBytes else { throw MultipartReader.tooMuch("has a part with more than \(reader.limits.headerBytes) bytes of headers") }
                return false
            }
            guard end <= reader.limits.headerBytes else { throw MultipartReader.tooMuch("has a part with more than \(reader.limits.headerBytes) bytes of headers") }
            parts += 1
            guard parts <= reader.limits.parts else { throw MultipartReader.tooMuch("has more than \(reader.limits.parts) parts") }
            let text = pending.readString(length: end) ?? ""
            // The empty line's second half stays: an empty part's boundary begins with it.
            pending.moveReaderIndex(forwardBy: 2)
            guard let lineEnd = text.firstIndex(where: \.isNewline), text[..<lineEnd].allSatisfy({ $0 == " " || $0 == "\t" }) else {
                throw MultipartReader.broken("a boundary is not followed by a line end")
            }
            let part = try reader.part(headers: String(text[text.index(after: lineEnd)...]), ByteBuffer())
            events.append(.part(name: part.name, fileName: part.fileName, contentType: part.contentType))
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
}

extension ByteBuffer {
    /// Bytes before the first place where `pattern` stands.
    fileprivate func place(of pattern: [UInt8]) -> Int? { withUnsafeReadableBytes { MultipartReader.find(pattern, in: $0, from: 0) } }
}
