import Foundation

/// The Hugging Face cache as the `huggingface_hub` library lays it out:
/// `models--owner--name/{refs/main, snapshots/<commit>/…, blobs/<hash>}`, snapshots linking to blobs.
public struct HubCache: Sendable {
    /// The folder that holds `models--owner--name`.
    public let root: URL

    public init(root: URL) { self.root = root }

    /// Where a repository's files stand, whether or not there are any.
    public func folder(of id: HubID) -> URL { root.appending(path: id.cacheFolder, directoryHint: .isDirectory) }

    /// The snapshot that `refs/main` points at; without that reference, the newest snapshot there is.
    public func snapshot(of id: HubID) -> URL? {
        let snapshots = folder(of: id).appending(path: "snapshots", directoryHint: .isDirectory)
        let reference = folder(of: id).appending(path: "refs/main")
        if let text = try? String(contentsOf: reference, encoding: .utf8) {
            let commit = text.trimmingCharacters(in: .whitespacesAndNewlines)
            if Self.isRevision(commit) {
                let snapshot = snapshots.appending(path: commit, directoryHint: .isDirectory)
                if isFolder(snapshot) { return snapshot }
            }
        }
        func changed(_ url: URL) -> Date {
            (try? url.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate) ?? .distantPast
        }
        return OmniModels.names(in: snapshots).map { snapshots.appending(path: $0, directoryHint: .isDirectory) }
            .filter(isFolder).max { changed($0) < changed($1) }
    }

    /// Every repository in the cache.
    public func ids() -> [HubID] { OmniModels.names(in: root).compactMap(HubID.init(cacheFolder:)) }

    /// A commit or branch name that is one path component.
    static func isRevision(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 128 && !text.hasPrefix(".")
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }
}
