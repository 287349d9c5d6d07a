import Foundation
import Logging
import OmniAPI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A folder of GGUFs that were made of checkpoints, each named after its source, what the source holds and how it is stored. A source
/// that changed is converted anew, and what was made of it before is removed.
public struct ConversionCache: Sendable {
    public let folder: String

    public init(folder: String) { self.folder = folder }

    /// The version of what is written: another one makes everything anew.
    private static let version = "1"

    /// Where the GGUF of `checkpoint` is, or will be.
    public func path(of conversion: Conversion) -> String { "\(prefix(conversion))\(Self.contents(conversion.checkpoint.folder)).gguf" }

    /// Where the GGUF of its encoders of pictures and sound is, or will be; nil for a checkpoint without.
    public func encoderPath(of conversion: Conversion) -> String? {
        conversion.checkpoint.hasProjector ? path(of: conversion).dropLast(5) + ".mmproj.gguf" : nil
    }

    private func isThere(_ path: String, _ encoders: String?) -> Bool {
        [path, encoders].compactMap(\.self).allSatisfy(FileManager.default.fileExists(atPath:))
    }

    /// Throws ``ConversionError`` where the checkpoint cannot be converted; quick where it has been.
    public func check(_ conversion: Conversion) throws(ConversionError) {
        let path = path(of: conversion)
        guard !isThere(path, encoderPath(of: conversion)) else { return }
        try makeFolder()
        try conversion.plan(for: path)
    }

    /// What was made of a checkpoint.
    public struct Files: Sendable {
        public let path: String
        /// Of its encoders of pictures and sound, where it has any.
        public let encoders: String?
        /// They were made just now.
        public let isNew: Bool
    }

    /// The GGUFs, which are made first where they are not there. Blocks; two processes make them once.
    public func files(of conversion: Conversion, logger: Logger, progress: @escaping @Sendable (Double) -> Void) throws(ConversionError)
        -> Files
    {
        let path = path(of: conversion), encoders = encoderPath(of: conversion)
        guard !isThere(path, encoders) else { return Files(path: path, encoders: encoders, isNew: false) }
        try makeFolder()
        removeLeftovers()
        let plan = try conversion.plan(for: path), further = try conversion.encoderPlan()
        let file = try GGUFFile(path: path)
        guard !isThere(path, encoders) else { return Files(path: path, encoders: encoders, isNew: false) }
        let start = ContinuousClock.now
        let facts: Logger.Metadata = [
            "checkpoint": .string(conversion.checkpoint.folder), "bytes": .stringConvertible(plan.byteCount + (further?.byteCount ?? 0)),
            "type": .string("\(conversion.quantization)"),
        ]
        logger.notice("converting the checkpoint to GGUF, once", metadata: facts.merging(["file": .string(path)]) { $1 })
        try conversion.write(plan, to: file, encoders: further, at: encoders) { [steps = ProgressSteps()] done in
            progress(done)
            if let percent = steps.next(done) { logger.info("converting", metadata: ["percent": .stringConvertible(percent)]) }
        }
        logger.notice("converted", metadata: facts.merging(["seconds": .string("\((ContinuousClock.now - start) / .seconds(1))")]) { $1 })
        removeOlder(than: [path, encoders].compactMap(\.self), beginning: prefix(conversion))
        return Files(path: path, encoders: encoders, isNew: true)
    }

    func makeFolder() throws(ConversionError) {
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw ConversionError(.disk, folder, "It cannot be made: \(error.localizedDescription)")
        }
    }

    /// All GGUFs of one source in one type begin alike.
    private func prefix(_ conversion: Conversion) -> String {
        let checkpoint = conversion.checkpoint, place = URL(filePath: checkpoint.folder)
        // Another commit of a repository is the same source.
        let source = place.deletingLastPathComponent().lastPathComponent == "snapshots" ? place.deletingLastPathComponent() : place
        let part = checkpoint.part.isEmpty ? "" : "-\(checkpoint.part)"
        return
            "\(folder)/\(Self.fileName(checkpoint.name))\(part)-\(conversion.quantization)-\(Self.hash(source.standardizedFileURL.path))-"
    }

    /// A name as a part of a file's.
    static func fileName(_ name: String) -> String {
        String(String(name.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "-" }).prefix(80))
    }

    /// What the folder holds: small files by their bytes, large ones by name, size and time, and those of the Hub's cache by the
    /// checksum that they are named after.
    static func contents(_ folder: String) -> String {
        let parts = (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []).filter { name in
            [".json", ".jinja", ".safetensors"].contains(where: name.hasSuffix) && name.split(separator: "/").count <= 2
        }
        let lines = parts.sorted().map { name -> String in
            let path = URL(filePath: "\(folder)/\(name)").resolvingSymlinksInPath().path
            var status = stat()
            guard stat(path, &status) == 0 else { return name }
            #if canImport(Darwin)
                let time = status.st_mtimespec
            #else
                let time = status.st_mtim
            #endif
            let small = status.st_size <= 1 << 16 ? FileManager.default.contents(atPath: path).map { hash($0) } : nil
            return "\(name) \(status.st_size) \(small ?? "\(path) \(time.tv_sec).\(time.tv_nsec)")"
        }
        return hash(version + lines.joined(separator: "\n"))
    }

    static func hash(_ text: String) -> String { hash(text.utf8) }
    static func hash(_ bytes: some Sequence<UInt8>) -> String { String(bytes.fnv1a, radix: 16) }

    /// Files that a process which ended left behind.
    func removeLeftovers() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasSuffix(".incomplete") {
            let descriptor = open("\(folder)/\(name)", O_RDWR | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink("\(folder)/\(name)") }
            close(descriptor)
        }
    }

    /// Those of the same source.
    func removeOlder(than paths: [String], beginning prefix: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            let other = "\(folder)/\(name)"
            if other.hasPrefix(prefix), other.hasSuffix(".gguf"), !paths.contains(other) { unlink(other) }
        }
    }
}
