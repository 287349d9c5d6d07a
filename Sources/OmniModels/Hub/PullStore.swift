import Foundation

/// The folder of one repository in the cache, while a pull writes to it.
struct PullStore: Sendable {
    let folder: URL
    let commit: String

    var blobs: URL { folder.appending(path: "blobs", directoryHint: .isDirectory) }
    var snapshot: URL { folder.appending(path: "snapshots/\(commit)", directoryHint: .isDirectory) }

    func prepare() throws {
        for place in [blobs, snapshot, folder.appending(path: "refs")] {
            do {
                try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            } catch {
                throw HubError(
                    "Could not make \(place.path): \(error.localizedDescription)",
                    remedy: "Check its owner, or set HF_HOME to a folder that you may write to.")
            }
        }
    }

    /// Whether the file is there, whole. Its name is its checksum, which was checked before it got that name.
    func has(_ file: HubFile) -> Bool { fileSize(blob(file)) == file.size }

    /// The files to fetch, each blob once.
    func absent(_ files: [HubFile]) -> [HubFile] {
        var seen: Set<String> = []
        return files.filter { !has($0) && seen.insert($0.checksum.hex).inserted }
    }

    /// Bytes of each file, by path, that need not be fetched any more.
    func present(_ files: [HubFile]) -> [String: Int64] {
        var present: [String: Int64] = [:]
        var seen: Set<String> = []
        for file in files {
            let begun = fileSize(blobs.appending(path: file.checksum.hex + ".incomplete")) ?? 0
            let isTwin = !seen.insert(file.checksum.hex).inserted
            present[file.path] = has(file) || isTwin ? file.size : begun <= file.size ? begun : 0
        }
        return present
    }

    /// Links each file of the snapshot to its blob, relative, so that the cache can be moved.
    func link(_ files: [HubFile]) throws {
        let manager = FileManager.default
        for file in files {
            let place = snapshot.appending(path: file.path)
            let depth = file.path.split(separator: "/").count + 1
            let target = String(repeating: "../", count: depth) + "blobs/" + file.checksum.hex
            if (try? manager.destinationOfSymbolicLink(atPath: place.path)) == target { continue }
            do {
                try manager.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
                try? manager.removeItem(at: place)
                try manager.createSymbolicLink(atPath: place.path, withDestinationPath: target)
            } catch {
                throw HubError("Could not link \(place.path): \(error.localizedDescription)")
            }
        }
    }

    /// Makes `refs/main` name the commit.
    func point() throws {
        do {
            try Data(commit.utf8).write(to: folder.appending(path: "refs/main"), options: .atomic)
        } catch {
            throw HubError("Could not write refs/main in \(folder.path): \(error.localizedDescription)")
        }
    }

    private func blob(_ file: HubFile) -> URL { blobs.appending(path: file.checksum.hex) }
}
