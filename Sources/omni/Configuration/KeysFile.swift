import Foundation
import Logging
import OmniAPI
import OmniAccess
import Yams

/// The file of `--api-keys-file`.
///
/// ```yaml
/// keys:
///   - name: ci
///     key: sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
///     expires: 2027-01-31T12:00:00Z
///     routes: [/v1/chat/completions, "/v1/audio/*"]
///     models: [smollm2-135m-instruct]
///     requests-per-minute: 60
///     tokens-per-minute: 20000
///     concurrent-requests: 4
/// ```
struct KeysFile: Sendable {
    let path: String

    /// What tells that a file has changed.
    struct Stamp: Equatable {
        var modified: Date?
        var size: Int?
        var number: Int?
    }

    /// How often it is looked at.
    private static let interval = Duration.seconds(1)

    /// Throws ``ConfigurationError``, which names the line.
    func read() throws -> [APIKey] {
        let text = try ConfigurationFile.text(of: path)
        guard let root = try ConfigurationFile.compose(text, file: path) else { return [] }
        return try ConfigurationReader(file: path, serveFlags: []).keysFile(root)
    }

    /// Reads it and puts its keys into `store`. Throws ``ConfigurationError``; then nothing changes.
    func load(into store: KeyStore) throws {
        let keys = try read()
        do {
            try store.replaceFileKeys(keys)
        } catch let error as APIError {
            throw ConfigurationError(file: path, line: nil, problem: error.message)
        }
    }

    var stamp: Stamp {
        let attributes = try? FileManager.default.attributesOfItem(atPath: URL(filePath: path).resolvingSymlinksInPath().path)
        return Stamp(
            modified: attributes?[.modificationDate] as? Date, size: (attributes?[.size] as? NSNumber)?.intValue,
            number: (attributes?[.systemFileNumber] as? NSNumber)?.intValue)
    }

    /// Whether every user of the machine may read a file.
    static func isReadableByAll(_ path: String) -> Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: URL(filePath: path).resolvingSymlinksInPath().path)
        return ((attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0) & 0o004 != 0
    }

    static func warnIfReadable(_ path: String, _ logger: Logger) {
        guard isReadableByAll(path) else { return }
        logger.warning("every user of this machine can read the API keys; chmod 600 mends it", metadata: ["file": .string(path)])
    }

    /// Reads it again whenever it has changed since `stamp`, until the task is cancelled. A fault is logged, and the keys stay.
    func watch(since stamp: Stamp, into store: KeyStore, _ logger: Logger) async {
        var seen = stamp
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            let now = self.stamp
            guard now != seen else { continue }
            seen = now
            do {
                try load(into: store)
                logger.info("API keys read again", metadata: ["file": .string(path)])
                Self.warnIfReadable(path, logger)
            } catch {
                logger.error("the file of API keys has a fault; the keys stay as they were", metadata: ["error": "\(error)"])
            }
        }
    }
}
