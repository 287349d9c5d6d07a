import Foundation
import Logging
import NIOConcurrencyHelpers
import OmniAPI
import OmniConversion
import OmniEngine
import OmniText

/// Adapters of one language model: found, checked against it, and made into GGUFs. What was done for a file is not done again while that
/// stays as it is.
final class AdapterLibrary: Sendable {
    private struct Known {
        var base: AdapterBase?
        var files: [String: AdapterFile] = [:]
    }

    private let known = NIOLockedValueBox(Known())
    /// The folder of what is made.
    private let folder: String
    private let maxRank: Int?
    private let logger: Logger
    private let makeBase: @Sendable () throws(ConversionError) -> AdapterBase

    init(
        folder: String, maxRank: Int?, logger: Logger, base: @escaping @Sendable () throws(ConversionError) -> AdapterBase
    ) {
        (self.folder, self.maxRank, self.logger, makeBase) = (folder, maxRank, logger, base)
    }

    /// Reads headers. Blocks; throws ``ConversionError``.
    @discardableResult
    func check(_ module: LoRAModule) throws(ConversionError) -> LanguageAdapter {
        try LanguageAdapter(path: module.path, base: try base(), maxRank: maxRank)
    }

    /// The GGUF of an adapter, made first where need be. Throws ``APIError``.
    func file(of module: LoRAModule) async throws -> AdapterFile {
        let version = Self.version(of: module.path)
        if let file = known.withLockedValue({ $0.files[module.path] }), file.version == version { return file }
        return try await BlockingThread.run(name: "omni-adapter") { [self] in
            do throws(ConversionError) {
                let base = try base(), adapter = try check(module)
                let path = try ConversionCache(folder: folder).file(of: adapter, base: base, logger: logger)
                let file = AdapterFile(path: path, version: version)
                known.withLockedValue { $0.files[module.path] = file }
                return file
            } catch {
                throw APIError(error, adapter: module.name)
            }
        }
    }

    private func base() throws(ConversionError) -> AdapterBase {
        if let base = known.withLockedValue({ $0.base }) { return base }
        let made = try makeBase()
        known.withLockedValue { $0.base = made }
        return made
    }

    /// Sizes and times of an adapter's files.
    private static func version(of path: String) -> String {
        ["", "/adapter_config.json", "/adapter_model.safetensors"].map { part in
            let facts = try? FileManager.default.attributesOfItem(atPath: URL(filePath: path + part).resolvingSymlinksInPath().path)
            let time = (facts?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            return "\(facts?[.size] as? Int ?? 0) \(time)"
        }.joined(separator: " ")
    }
}

extension APIError {
    /// For the client that asks for an adapter.
    init(_ error: ConversionError, adapter name: String) {
        let code: Code = error.fault == .disk ? .insufficientStorage : error.fault == .missing ? .notFound : .invalidRequest
        self.init(code, "The adapter `\(name)` cannot be used: \(error.path): \(error.problem)", remedy: error.remedy, param: "lora_path")
    }
}
