import Foundation
import NIOCore
import OmniAPI

/// Reads `multipart/form-data` (RFC 7578). Parts are slices of the body: nothing is copied, whatever bytes they hold.
struct MultipartReader {
    let boundary: String
    var limits = FormLimits()

    init(boundary: String, limits: FormLimits = FormLimits()) {
        self.boundary = boundary
        self.limits = limits
    }

    /// Throws ``APIError``: 400 for what is no such form or was cut short, 413 for what passes a limit.
    func read(_ body: ByteBuffer) throws -> Form {
        let delimiter = Array("--\(boundary)".utf8)
        let lineDelimiter = [0x0D, 0x0A] + delimiter
        return try body.withUnsafeReadableBytes { bytes in
            var form = Form()
            // What stands before the first boundary is a preamble for readers without MIME.
            var place: Int
            if bytes.count >= delimiter.count, bytes[..<delimiter.count].elementsEqual(delimiter) {
                place = delimiter.count
            } else if let found = Self.find(lineDelimiter, in: bytes, from: 0) {
                place = found + lineDelimiter.count
            } else {
                throw Self.broken("its boundary does not occur")
            }
            while true {
                if bytes.count >= place + 2, bytes[place] == UInt8(ascii: "-"), bytes[place + 1] == UInt8(ascii: "-") { return form }
                while place < bytes.count, bytes[place] == 0x20 || bytes[place] == 0x09 { place += 1 }
                guard bytes.count >= place + 2, bytes[place] == 0x0D, bytes[place + 1] == 0x0A else { throw Self.broken("a boundary is not followed by a line end") }
                guard form.parts.count < limits.parts else { throw Self.tooMuch("has more than \(limits.parts) parts") }
                let headersEnd = try headerEnd(bytes, from: place)
                guard let end = Self.find(lineDelimiter, in: bytes, from: headersEnd - 2) else { throw Self.broken("it ends inside a part") }
                let start = min(headersEnd, end + 2)
                let text = String(decoding: bytes[(place + 2)..<max(place + 2, headersEnd - 4)], as: UTF8.self)
                let content = body.getSlice(at: body.readerIndex + start, length: max(0, end - start)) ?? ByteBuffer()
                form.parts.append(try part(headers: text, content))
                place = end + lineDelimiter.count
            }
        }
    }

    /// The place behind the empty line that ends the headers; `place` is at the line end of the boundary.
    private func headerEnd(_ bytes: UnsafeRawBufferPointer, from place: Int) throws -> Int {
        let limit = UnsafeRawBufferPointer(rebasing: bytes[..<min(bytes.count, place + limits.headerBytes)])
        guard let end = Self.find([0x0D, 0x0A, 0x0D, 0x0A], in: limit, from: place) else {
            if limit.count < bytes.count { throw Self.tooMuch("has a part with more than \(limits.headerBytes) bytes of headers") }
            throw Self.broken("it ends inside a part's headers")
        }
        return end + 4
    }

    func part(headers text: String, _ content: ByteBuffer) throws -> FormPart {
        var disposition: [String: String]?
        var contentType: String?
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { throw Self.broken("a part has a header without a colon") }
            let value = String(line[line.index(after: colon)...])
            switch line[..<colon].lowercased() {
            case "content-disposition":
                let (kind, parameters) = HeaderParameters.parse(value)
                if kind.lowercased() == "form-data" { disposition = parameters }
            case "content-type": contentType = value[...].trimming()
            default: break
            }
        }
        guard let disposition, let name = disposition["name"], !name.isEmpty, name.utf8.count <= 256 else { throw Self.broken("a part has no name") }
        let fileName = disposition["filename"] ?? disposition["filename*"]
        guard fileName != nil || content.readableBytes <= limits.textBytes else { throw Self.tooMuch("has a text field of more than \(limits.textBytes) bytes") }
        return FormPart(name: name, fileName: fileName, contentType: contentType, body: content)
    }

    /// The first place at or after `from` where `pattern` stands.
    static func find(_ pattern: [UInt8], in bytes: UnsafeRawBufferPointer, from: Int) -> Int? {
        guard let base = bytes.baseAddress, let first = pattern.first else { return nil }
        var place = from
        while place >= 0, place + pattern.count <= bytes.count {
            // The C functions run at memory speed, also in debug builds; bodies have tens of megabytes.
            guard let hit = memchr(base + place, Int32(first), bytes.count - pattern.count + 1 - place) else { return nil }
            place = UnsafeRawPointer(hit) - base
            if memcmp(base + place, pattern, pattern.count) == 0 { return place }
            place += 1
        }
        return nil
    }

    static func broken(_ reason: String) -> APIError {
        APIError(.badRequest, "The body is not a readable multipart form: \(reason).", param: "body")
    }

    static func tooMuch(_ what: String) -> APIError { APIError(.tooLarge, "The form \(what).", remedy: "Send less at once.", param: "body") }
}

/// Reads `application/x-www-form-urlencoded` (WHATWG URL, 5.1).
struct URLEncodedReader {
    var limits = FormLimits()

    func read(_ body: ByteBuffer) throws -> Form {
        var form = Form()
        for pair in body.readableBytesView.split(separator: UInt8(ascii: "&")) {
            guard form.parts.count < limits.parts else { throw MultipartReader.tooMuch("has more than \(limits.parts) fields") }
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = String(decoding: Self.decoded(pair[..<equals]), as: UTF8.self)
            let value = equals < pair.endIndex ? Self.decoded(pair[pair.index(after: equals)...]) : []
            guard !name.isEmpty, name.utf8.count <= 256 else { continue }
            guard value.count <= limits.textBytes else { throw MultipartReader.tooMuch("has a field of more than \(limits.textBytes) bytes") }
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
            if bytes[place] == UInt8(ascii: "%"), place + 2 < bytes.count, let high = hex(bytes[place + 1]), let low = hex(bytes[place + 2]) {
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
