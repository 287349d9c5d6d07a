import Foundation

/// What stands between the contents of a `multipart/form-data` body (RFC 7578), as browsers write it.
package struct MultipartFrame: Sendable {
    private let boundary = "omni-\(UUID().uuidString)"

    package init() {}

    package var contentType: String { "multipart/form-data; boundary=\(boundary)" }

    /// A whole field.
    package func field(_ name: String, text: String) -> String {
        "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(Self.quoted(name))\"\r\n\r\n\(text)\r\n"
    }

    /// What comes before a file's bytes; behind them comes ``fileEnd``.
    package func fileHead(_ name: String, fileName: String, contentType: String) -> String {
        "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(Self.quoted(name))\"; filename=\"\(Self.quoted(fileName))\"\r\nContent-Type: \(contentType)\r\n\r\n"
    }

    package var fileEnd: String { "\r\n" }
    /// The end of the body.
    package var end: String { "--\(boundary)--\r\n" }

    /// Quotes and line ends escaped.
    private static func quoted(_ name: String) -> String {
        // By scalars: in a `Character`, a quote may have an accent.
        name.unicodeScalars.map { ["\"": "%22", "\r": "%0D", "\n": "%0A"][$0] ?? String($0) }.joined()
    }
}

/// A `multipart/form-data` body in memory.
package struct MultipartWriter: Sendable {
    private let frame = MultipartFrame()
    private var bytes: [UInt8] = []

    package init() {}

    package var contentType: String { frame.contentType }
    /// The whole body.
    package var body: [UInt8] { bytes + frame.end.utf8 }

    package mutating func add(_ name: String, text: String) { bytes += frame.field(name, text: text).utf8 }

    package mutating func add(_ name: String, fileName: String, contentType: String, _ file: [UInt8]) {
        bytes += frame.fileHead(name, fileName: fileName, contentType: contentType).utf8
        bytes += file
        bytes += frame.fileEnd.utf8
    }
}
