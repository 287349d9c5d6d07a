import Crypto
import Foundation
import Hummingbird
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniStore

/// A form whose files lie on the disk: an upload of gigabytes takes no more memory than one of kilobytes.
struct SpooledForm: Sendable {
    /// The text fields.
    var form = Form()
    var files: [Upload] = []

    subscript(name: String) -> [Upload] { files.filter { $0.name == name } }
}

/// A file of a form, on the disk. Removed when it is let go, unless its path has another owner by then.
final class Upload: Sendable {
    let name: String
    let fileName: String
    let path: String
    let bytes: Int
    let sha256: String
    /// The first bytes, by which its kind is told.
    let head: [UInt8]

    init(name: String, fileName: String, path: String, bytes: Int, sha256: String, head: [UInt8]) {
        (self.name, self.fileName, self.path, self.bytes, self.sha256, self.head) = (name, fileName, path, bytes, sha256, head)
    }

    deinit { unlink(path) }
}

extension OmniContext {
    /// Reads a form, its files to where `files` has uploads. Throws 413 over the body's limit and 507 over the quota, both
    /// before more is written.
    func spoolForm(_ request: Request, to files: JobFiles) async throws -> SpooledForm {
        let (type, parameters) = HeaderParameters.parse(request.headers[.contentType] ?? "")
        guard type.lowercased() == "multipart/form-data" else { return SpooledForm(form: try await collectForm(request).form) }
        let boundary = try HeaderParameters.boundary(parameters)
        let declared = request.headers[.contentLength].flatMap { Int($0) }
        if let declared, declared > limits.maxBodySize { throw bodyTooLarge(declared) }
        let body = try DecodedBody(request)
        let room = try await NIOThreadPool.singleton.runIfActive { try files.room(for: 0) }
        var stream = MultipartStream(boundary: boundary)
        var spool = FormSpool(files: files, room: room)
        var bytes = 0
        for try await chunk in body {
            bytes += chunk.readableBytes
            guard bytes <= limits.maxBodySize else { throw bodyTooLarge(nil) }
            for event in try stream.feed(chunk) { try await spool.take(event) }
        }
        try stream.finish()
        return spool.form
    }
}

/// Puts the parts of a form where they belong.
private struct FormSpool {
    let files: JobFiles
    let limits = FormLimits()
    /// Bytes of files that may be written.
    var room: Int?
    var form = SpooledForm()
    private var text: (name: String, body: ByteBuffer)?
    private var file: OpenUpload?

    init(files: JobFiles, room: Int?) {
        (self.files, self.room) = (files, room)
    }

    mutating func take(_ event: MultipartStream.Event) async throws {
        switch event {
        case .part(let name, let fileName?, _):
            file = try await NIOThreadPool.singleton.runIfActive { [files] in
                try OpenUpload(name: name, fileName: fileName, path: files.newUpload())
            }
        case .part(let name, nil, _): text = (name, ByteBuffer())
        case .bytes(var bytes):
            if let file {
                if let left = room {
                    if bytes.readableBytes > left {
                        try await NIOThreadPool.singleton.runIfActive { [files, bytes] in _ = try files.room(for: bytes.readableBytes) }
                    }
                    room = left - bytes.readableBytes
                }
                return try await file.append(bytes)
            }
            guard (text?.body.readableBytes ?? 0) + bytes.readableBytes <= limits.textBytes else {
                throw MultipartStream.textTooLong(limits)
            }
            text?.body.writeBuffer(&bytes)
        case .partEnded:
            if let text { form.form.parts.append(FormPart(name: text.name, body: text.body)) }
            if let file { form.files.append(file.finish()) }
            (text, file) = (nil, nil)
        }
    }
}

/// An upload that is being written.
// @unchecked: one request's task has it; the pool's thread that writes is waited for.
private final class OpenUpload: @unchecked Sendable {
    private let name: String
    private let fileName: String
    private let path: String
    private let file: Int32
    private var bytes = 0
    private var hash = SHA256()
    private var head: [UInt8] = []
    private var isFinished = false

    init(name: String, fileName: String, path: String) throws {
        assert(!BlockingThread.isPool)
        (self.name, self.fileName, self.path) = (name, fileName, path)
        file = try DurableFile.create(path)
    }

    deinit {
        close(file)
        if !isFinished { unlink(path) }
    }

    func append(_ chunk: ByteBuffer) async throws {
        try await NIOThreadPool.singleton.runIfActive { [self] in
            assert(!BlockingThread.isPool)
            try chunk.withUnsafeReadableBytes { raw in
                try DurableFile.append(raw, to: file)
                hash.update(bufferPointer: raw)
                if head.count < 64 { head += raw.prefix(64 - head.count) }
                bytes += raw.count
            }
        }
    }

    func finish() -> Upload {
        isFinished = true
        return Upload(name: name, fileName: fileName, path: path, bytes: bytes, sha256: hash.finalize().hexText, head: head)
    }
}
