import Foundation

/// The folder that requests may name low-rank adapters in; `--allowed-lora-path`.
public struct AdapterFolder: Sendable {
    private let root: String

    public init(_ path: String) { root = URL(filePath: path).resolvingSymlinksInPath().standardizedFileURL.path }

    /// Where `path` leads from here, links followed; nil where that is outside or nothing.
    public func place(of path: String) -> String? {
        let place = URL(filePath: path, relativeTo: URL(filePath: root, directoryHint: .isDirectory)).resolvingSymlinksInPath()
            .standardizedFileURL.path
        return place.hasPrefix(root + "/") && FileManager.default.fileExists(atPath: place) ? place : nil
    }

    /// What is in it and below, of files whose names end so: the first `most` that are found, sorted.
    public func files(ending suffix: String, most: Int) -> [String] {
        guard let files = FileManager.default.enumerator(atPath: root) else { return [] }
        return files.lazy.compactMap { $0 as? String }.filter { $0.hasSuffix(suffix) }.prefix(most).sorted()
    }
}
