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

    private func fetch(_ file: HubFile, of id: HubID, to store: PullStore, tally: PullTally) async throws {
        let fetch = FileFetch(limits: configuration, setting: "HF_ENDPOINT") { offset in
            try await open(file, of: id, commit: store.commit, from: offset)
        }
        try await fetch.run(file, to: store.blobs, tally: tally)
    }
}
