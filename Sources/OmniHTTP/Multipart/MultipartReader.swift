import NIOCore
import OmniAPI

/// Reads a `multipart/form-data` body that is there whole, with ``MultipartStream``. The parts are slices of the body: nothing is copied,
/// whatever bytes they hold.
struct MultipartReader {
    let boundary: String
    var limits = FormLimits()

    init(boundary: String, limits: FormLimits = FormLimits()) {
        self.boundary = boundary
        self.limits = limits
    }

    /// Throws ``APIError``: 400 for what is no such form or was cut short, 413 for what passes a limit.
    func read(_ body: ByteBuffer) throws -> Form {
        var stream = MultipartStream(boundary: boundary, limits: limits)
        var form = Form()
        var part: FormPart?
        for event in try stream.feed(body) {
            switch event {
            case .part(let name, let fileName, let contentType):
                part = FormPart(name: name, fileName: fileName, contentType: contentType, body: ByteBuffer())
            case .bytes(let bytes):
                guard let head = part else { continue }
                guard head.fileName != nil || bytes.readableBytes <= limits.textBytes else { throw MultipartStream.textTooLong(limits) }
                part = FormPart(name: head.name, fileName: head.fileName, contentType: head.contentType, body: bytes)
            case .partEnded:
                if let part { form.parts.append(part) }
                part = nil
            }
        }
        try stream.finish()
        return form
    }
}

/// Reads `application/x-www-form-urlencoded` (WHATWG URL, 5.1).
struct URLEncodedReader {
    var limits = FormLimits()

    func read(_ body: ByteBuffer) throws -> Form {
        var form = Form()
        for pair in body.readableBytesView.split(separator: UInt8(ascii: "&")) {
            guard form.parts.count < limits.parts else { throw MultipartStream.tooMuch("has more than \(limits.parts) fields") }
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = String(decoding: Self.decoded(pair[..<equals]), as: UTF8.self)
            let value = equals < pair.endIndex ? Self.decoded(pair[pair.index(after: equals)...]) : []
            guard !name.isEmpty, name.utf8.count <= 256 else { continue }
            guard value.count <= limits.textBytes else {
                throw MultipartStream.tooMuch("has a field of more than \(limits.textBytes) bytes")
            }
            form.parts.append(FormPart(name: name, body: ByteBuffer(bytes: value)))
        }
        return form
    }

    /// `+` is a blank, `%41` a byte; a percent sign without two digits stands for itself.
    private static func decoded(_ text: ByteBufferView) -> [UInt8] {
        let bytes = Array(text)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var place = 0
        while place < bytes.count {
            if bytes[place] == UInt8(ascii: "%"), place + 2 < bytes.count, let high = hex(bytes[place + 1]), let low = hex(bytes[place + 2])
            {
                out.append(high << 4 | low)
                place += 3
            } else {
                out.append(bytes[place] == UInt8(ascii: "+") ? 0x20 : bytes[place])
                place += 1
            }
        }
        return out
    }

    private static func hex(_ digit: UInt8) -> UInt8? { Character(UnicodeScalar(digit)).hexDigitValue.map { UInt8($0) } }
}
