import Foundation

/// Bytes as they come: sound, pictures, videos. Leaving the loop, or cancelling its task, closes the request. It can be read once.
public struct ByteStream: AsyncSequence, Sendable {
    public typealias Element = Data

    private let reply: Reply

    init(_ reply: Reply) { self.reply = reply }

    /// `audio/wav`, `video/mp4` …
    public var contentType: String? { reply.header("content-type") }
    /// Bytes in all, where the server says it.
    public var length: Int? { reply.length }
    public var requestID: String? { reply.requestID }
    /// Hz of sound, where the server says it: raw `pcm` says it nowhere else.
    public var sampleRate: Int? {
        if let told = reply.header("x-sample-rate").flatMap({ Int($0) }) { return told }
        let parameters = contentType?.split(separator: ";").dropFirst().map { $0.trimmingCharacters(in: .whitespaces).lowercased() } ?? []
        return parameters.first { $0.hasPrefix("rate=") }.flatMap { Int($0.dropFirst(5)) }
    }
    /// Any header of the reply, by its name in any case.
    public func header(_ name: String) -> String? { reply.header(name) }

    public struct AsyncIterator: AsyncIteratorProtocol {
        var chunks: Reply.Chunks.AsyncIterator

        public mutating func next() async throws -> Data? { try await chunks.next().map { Data($0) } }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: reply.chunks.makeAsyncIterator()) }

    /// All of it, in memory.
    ///
    /// - Parameter limit: most bytes; more throws.
    public func collect(upTo limit: Int = 1 << 30) async throws -> Data { Data(try await reply.collect(upTo: limit)) }

    /// Writes it to a file as it comes. The file has its name only once it is whole.
    ///
    /// - Returns: the bytes written.
    @discardableResult
    public func save(to url: URL) async throws -> Int {
        let partial = url.deletingLastPathComponent().appendingPathComponent(
            ".\(url.lastPathComponent).\(UUID().uuidString.prefix(8)).part")
        guard FileManager.default.createFile(atPath: partial.path, contents: nil), let handle = try? FileHandle(forWritingTo: partial)
        else {
            throw OmniError(.file, "\(url.path) cannot be written.")
        }
        defer { try? FileManager.default.removeItem(at: partial) }
        var written = 0
        for try await chunk in self {
            do { try handle.write(contentsOf: chunk) } catch {
                throw OmniError(.file, "\(url.path) cannot be written: \(error.localizedDescription)")
            }
            written += chunk.count
        }
        try? handle.close()
        guard rename(partial.path, url.path) == 0 else {
            throw OmniError(.file, "\(url.path) cannot be written: \(String(cString: strerror(errno)))")
        }
        return written
    }
}
