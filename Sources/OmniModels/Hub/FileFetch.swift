import AsyncHTTPClient
import Foundation
import NIOCore

/// Brings a file, tried again while failures may pass; what an earlier try left is not fetched again.
struct FileFetch: Sendable {
    /// How often and how fast.
    let limits: HubConfiguration
    /// What the user chooses the server by, for remedies: `HF_ENDPOINT`.
    let setting: String
    /// Asks the server for the bytes from an offset on. Throws ``TransientError`` for what may pass.
    let open: @Sendable (_ offset: Int64) async throws -> HTTPClientResponse

    /// The file becomes one of `folder`, named by its checksum.
    func run(_ file: HubFile, to folder: URL, tally: PullTally) async throws {
        let writer = try await BlobWriter.open(file, in: folder)
        var failures = 0, wrongSums = 0
        var delay = limits.firstDelay
        for _ in 0..<1000 {
            let before = try await writer.written()
            tally.set(file, bytes: before)
            do {
                if before < file.size || file.size == 0 { try await receive(file, writer: writer, tally: tally) }
                if try await writer.finish() {
                    tally.finish(file)
                    return
                }
                wrongSums += 1
                guard wrongSums < 2 else {
                    throw HubError(
                        "\(file.path) arrived twice with a checksum other than it must have, and was thrown away.",
                        remedy: "A proxy or mirror may be altering it; check \(setting).")
                }
                tally.retrying(file, reason: "its checksum is wrong", delay: .zero)
            } catch {
                guard let fault = HubClient.transient(error) else { throw error }
                if try await writer.written() > before {
                    failures = 0
                    delay = limits.firstDelay
                }
                failures += 1
                guard failures < limits.attempts else { throw HubClient.lasting(error, file.path, setting: setting) }
                let wait = min(fault.retryAfter ?? delay, limits.longestDelay)
                tally.retrying(file, reason: fault.description, delay: wait)
                try await Task.sleep(for: wait)
                delay *= 2
            }
        }
        throw HubError("\(file.path) did not arrive in a thousand attempts.")
    }

    /// Appends what the server sends to what the writer has.
    private func receive(_ file: HubFile, writer: BlobWriter, tally: PullTally) async throws {
        let offset = try await writer.written()
        let response: HTTPFileAnswer
        do {
            response = HTTPFileAnswer(try await open(offset))
        } catch let fault as TransientError where fault.status == 416 {
            // The server has fewer bytes than lie here: they are of something else.
            try await writer.reset()
            throw fault
        }
        if offset > 0, response.start != offset {
            // No Range support, or another range than asked for: from the beginning.
            try await writer.reset()
            tally.set(file, bytes: 0)
            guard response.start == 0 else { throw TransientError("the server sent another range than was asked for") }
        }
        for try await buffer in response.body {
            try await writer.append(buffer)
            tally.advance(file, by: buffer.readableBytes)
        }
    }
}
