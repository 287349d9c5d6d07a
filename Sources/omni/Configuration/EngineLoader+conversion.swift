import ArgumentParser
import Foundation
import Logging
import OmniAPI
import OmniConversion
import OmniEngine
import OmniModels

extension EngineLoader {
    /// The GGUFs of a model, which are made of the checkpoint at `path` once; nil where that is a GGUF itself.
    func converted(_ path: String, progress: @escaping @Sendable (Double) -> Void = { _ in }) async throws -> ConversionCache.Files? {
        guard let folder = command.conversionDir, Checkpoint.isOne(path) else { return nil }
        return try await BlockingThread.run(name: "omni-convert") { [engine = command.engine, logger] in
            do throws(ConversionError) {
                let conversion = try engine.conversion(of: path, logger: logger)
                return try ConversionCache(folder: folder).files(of: conversion, logger: logger, progress: progress)
            } catch {
                throw APIError(error)
            }
        }
    }
}

extension EngineFlags {
    /// How the checkpoint at `path` becomes a GGUF.
    func conversion(of path: String, logger: Logger) throws(ConversionError) -> Conversion {
        let type = try quantization.map { name throws(ConversionError) in try Quantization(named: name) } ?? .source
        return try Conversion(folder: path, quantization: type, threads: threads ?? Processors.current.threads, logger: logger)
    }
}

extension ServePlan {
    /// Says what stands in the way of a model before any is started. A checkpoint that is a GGUF already passes at once.
    func checkConversions(in folder: String, logger: Logger) throws {
        var errors: [ModelError] = []
        for plan in models where Checkpoint.isOne(plan.model.path.path) && [.text, .embedding, .classifier].contains(plan.model.kind) {
            do throws(ConversionError) {
                let flags = plan.flags.isEmpty ? engine : (try? EngineFlags.parse(engine.arguments + plan.flags)) ?? engine
                let conversion = try flags.conversion(of: plan.model.path.path, logger: logger), cache = ConversionCache(folder: folder)
                try cache.check(conversion)
                if let talker = try conversion.ofTalker() { try cache.check(talker) }
            } catch {
                errors.append(ModelError(error, model: plan.model))
            }
        }
        guard errors.isEmpty else { throw ModelErrors(errors) }
    }
}

extension APIError {
    /// For the log and `/health`.
    init(_ error: ConversionError) {
        self.init(error.fault == .disk ? .insufficientStorage : .internalError, "\(error.path): \(error.problem)", remedy: error.remedy)
    }
}
