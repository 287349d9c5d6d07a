import AsyncHTTPClient
import Foundation
import NIOCore
import OmniAPI

/// What a pull brought.
public struct PullResult: Sendable {
    /// The folder with the repository's files at this commit.
    public var snapshot: URL
    public var files: [HubFile]
}

extension HubClient {
    /// Brings the files of `reference` (`owner/name` or `owner/name:pattern`) into the cache and returns where they are.
    ///
    /// Files that are there already are not fetched again; what an earlier pull began goes on where it stopped. Nothing in the
    /// cache refers to the new files before all of them are whole. Throws ``HubError`` or ``ModelError``.
    public func pull(_ reference: ModelReference, onEvent: @escaping @Sendable (PullEvent) -> Void = { _ in }) async throws -> PullResult {
        guard let id = reference.hubID else {
            throw ModelError(
                .malformed, model: reference.text, "It is no Hub id.",
                remedy: "Ids look like owner/name, or owner/name:Q4_K_M for one of several files.")
        }
        let commit = try await commit(of: id, revision: "main", onEvent: onEvent)
        let listing = try await files(of: id, commit: commit, onEvent: onEvent)
        let chosen = try PullSelection.choose(listing, pattern: reference.variant, for: reference.text)
        let store = PullStore(folder: HubCache(root: configuration.cache).folder(of: id), commit: commit)
        try store.prepare()

        let tally = PullTally(files: chosen, present: store.present(chosen), onEvent: onEvent)
        try checkSpace(for: tally, in: store.blobs)
        onEvent(.started(files: chosen.count, bytes: tally.totalSize, present: tally.presentBytes))
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Two names of the same bytes are one blob.
            var waiting = store.absent(chosen)[...]
            for _ in 0..<max(1, configuration.concurrency) {
                guard let file = waiting.popFirst() else { break }
                group.addTask { try await fetch(file, of: id, to: store, tally: tally) }
            }
            while try await group.next() != nil {
                guard let file = waiting.popFirst() else { continue }
                group.addTask { try await fetch(file, of: id, to: store, tally: tally) }
            }
        }
        // Files that an earlier pull brought and that have not changed stay visible at the new commit.
        try store.link(listing.filter { file in chosen.contains(file) || store.has(file) })
        try store.point()
        return PullResult(snapshot: store.snapshot, files: chosen)
    }

    private func checkSpace(for tally: PullTally, in folder: URL) throws {
        let reserve: Int64 = 64 << 20
        guard let free = configuration.freeSpace(folder) else { return }
        let needed = tally.totalSize - tally.presentBytes
        guard needed > 0, free < needed + reserve else { return }
        throw HubError(
            "The download needs \(byteText(needed)), and the disk under \(folder.path) has \(byteText(free)) free.",
            remedy: "Free some space, or set HF_HOME to a folder on another disk.")
    }

    /// One file, tried again while failures may pass.
    private func fetch(_ file: HubFile, of id: HubID, to store: PullStore, tally: PullTally) async throws {
        let writer = try await BlobWriter.open(file, in: store.blobs)
        var failures = 0, wrongSums = 0
        var delay = configuration.firstDelay
        for _ in 0..<1000 {
            let before = try await writer.written()
            tally.set(file, bytes: before)
            do {
                if before < file.size || file.size == 0 {
                    try await receive(file, of: id, commit: store.commit, writer: writer, tally: tally)
                }
                if try await writer.finish() {
                    tally.finish(file)
                    return
                }
                wrongSums += 1
                guard wrongSums < 2 else {
                    throw HubError(
                        "\(file.path) arrived twice with a checksum other than the Hub's listing says, and was thrown away.",
                        remedy: "A proxy or mirror may be altering it; check HF_ENDPOINT.")
                }
                tally.retrying(file, reason: "its checksum is wrong", delay: .zero)
            } catch {
                guard let fault = Self.transient(error) else { throw error }
                if try await writer.written() > before {
                    failures = 0
                    delay = configuration.firstDelay
                }
                failures += 1
                guard failures < configuration.attempts else { throw Self.lasting(error, file.path) }
                let wait = min(fault.retryAfter ?? delay, configuration.longestDelay)
                tally.retrying(file, reason: fault.description, delay: wait)
                try await Task.sleep(for: wait)
                delay *= 2
            }
        }
        throw HubError("\(file.path) did not arrive in a thousand attempts.")
    }

    /// Appends what the server sends to what the writer has.
    private func receive(_ file: HubFile, of id: HubID, commit: String, writer: BlobWriter, tally: PullTally) async throws {
        let offset = try await writer.written()
        let response: HTTPFileAnswer
        do {
            response = HTTPFileAnswer(try await open(file, of: id, commit: commit, from: offset))
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
