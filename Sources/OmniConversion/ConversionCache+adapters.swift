import Foundation
import Logging

extension ConversionCache {
    /// The GGUF of an adapter, which is made first where it is a folder of PEFT and was not made before. Blocks.
    public func file(of adapter: LanguageAdapter, base: AdapterBase, logger: Logger) throws(ConversionError) -> String {
        guard let plan = adapter.plan else { return adapter.path }
        let source = URL(filePath: adapter.path).standardizedFileURL
        let heads = "\(base.heads ?? 0)-\(base.keyValueHeads ?? 0)"
        let prefix = "\(folder)/\(Self.fileName(source.lastPathComponent))-lora-\(base.architecture)-\(heads)-\(Self.hash(source.path))-"
        let path = "\(prefix)\(Self.contents(adapter.path)).gguf"
        guard !FileManager.default.fileExists(atPath: path) else { return path }
        try makeFolder()
        removeLeftovers()
        try ConversionPlan.checkSpace(for: plan.byteCount, at: path)
        let file = try GGUFFile(path: path)
        guard !FileManager.default.fileExists(atPath: path) else { return path }
        try plan.write(file, threads: 1) { _ in }
        try file.finish()
        logger.info("converted an adapter to GGUF", metadata: ["adapter": .string(adapter.path), "file": .string(path)])
        removeOlder(than: [path], beginning: prefix)
        return path
    }
}
