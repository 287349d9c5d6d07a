import Foundation
import OmniAPI
import OmniWorkerAPI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The files of jobs: a folder for each, named by its id, and a folder for uploads that are no job's yet. All calls block on
/// the disk.
public struct JobFiles: Sendable {
    public let root: URL
    private let uploads: URL
    private let trash: URL
    /// Bytes that all jobs together may take; nil for what the disk holds.
    public let quota: Int?

    /// The name of the picture to start from.
    public static let picture = VideoTask.pictureFile
    /// The name of the finished latents, kept until the clip is there.
    public static let latents = VideoTask.latentsFile

    /// Makes the folders in `folder`, and throws away what a crash left of uploads.
    public init(folder: URL, quota: Int? = nil) throws {
        root = folder.appending(path: "blobs/jobs")
        uploads = folder.appending(path: "blobs/uploads")
        trash = folder.appending(path: "blobs/trash")
        self.quota = quota
        for place in [uploads, trash] { try? FileManager.default.removeItem(at: place) }
        for place in [root, uploads, trash] {
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
    }

    public func folder(of id: String) -> String { root.appending(path: id).path }
    public func path(_ name: String, of id: String) -> String { root.appending(path: id).appending(path: name).path }

    /// A path for a new upload.
    public func newUpload() -> String { uploads.appending(path: UUID().uuidString).path }

    public func makeFolder(of id: String) throws {
        guard mkdir(folder(of: id), 0o700) == 0 || errno == EEXIST else { throw DurableFile.failure("create", errno) }
        DurableFile.syncFolder(of: folder(of: id))
    }

    /// Gives an upload to a job.
    public func adopt(_ upload: String, as name: String, of id: String) throws {
        try DurableFile.publish(upload, as: path(name, of: id))
    }

    public func exists(_ name: String, of id: String) -> Bool { access(path(name, of: id), R_OK) == 0 }

    /// Removes a job's folder. What still writes there loses its files: the folder is first moved out of the way.
    public func remove(_ id: String) {
        let away = trash.appending(path: UUID().uuidString).path
        guard rename(folder(of: id), away) == 0 else { return }
        try? FileManager.default.removeItem(atPath: away)
    }

    /// Removes all files of a job but these.
    public func remove(of id: String, allBut kept: Set<String>) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder(of: id))) ?? [] where !kept.contains(name) {
            unlink(path(name, of: id))
        }
    }

    /// Removes the folders that no row knows, and what a crash left: half-written files, and of jobs which are over what they
    /// do not keep.
    public func removeAll(except ids: Set<String>, keeping kept: [String: Set<String>] = [:]) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? [] {
            guard ids.contains(name) else {
                remove(name)
                continue
            }
            for file in (try? FileManager.default.contentsOfDirectory(atPath: folder(of: name))) ?? []
            where file.hasSuffix(".partial") || kept[name]?.contains(file) == false {
                unlink(path(file, of: name))
            }
        }
    }

    /// Bytes that jobs and uploads take now.
    public var usedBytes: Int {
        var sum = 0
        for place in [root, uploads] {
            let keys: Set<URLResourceKey> = [.fileSizeKey, .isRegularFileKey]
            guard let files = FileManager.default.enumerator(at: place, includingPropertiesForKeys: Array(keys)) else { continue }
            for case let file as URL in files {
                guard let values = try? file.resourceValues(forKeys: keys), values.isRegularFile == true else { continue }
                sum += values.fileSize ?? 0
            }
        }
        return sum
    }

    /// Bytes that are left of the quota; nil without one. Throws 507 when less than `needed` are.
    @discardableResult
    public func room(for needed: Int = 1) throws -> Int? {
        guard let quota else { return nil }
        let used = usedBytes
        guard used + needed <= quota else {
            throw APIError(
                .insufficientStorage,
                "Video jobs take \(used) bytes of the \(quota) that they may have together; this one needs \(needed) more.",
                remedy: "Delete jobs with DELETE /v1/videos/ID, or start the server with a higher --job-quota.")
        }
        return quota - used
    }
}
