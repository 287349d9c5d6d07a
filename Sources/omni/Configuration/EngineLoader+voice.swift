import Foundation
import Logging
import OmniAPI
import OmniConversion
import OmniEngine
import OmniSpeech
import OmniTensor
import OmniText
import OmniToken2Wav

extension EngineLoader {
    /// What speaks the answers of the checkpoint at `path`; nil for one without a talker, or whose sound cannot be made because files are
    /// not there.
    func voice(of path: String) async throws -> VoiceParts? {
        guard let folder = command.conversionDir, Checkpoint.isOne(path), Checkpoint.hasTalker(path) else { return nil }
        guard Token2Wav.isPresent(in: path) else {
            logger.notice(
                "the model has a talker, but no spk_dict.pt or token2wav beside it: it answers in text", metadata: ["root": .string(path)])
            return nil
        }
        return try await BlockingThread.run(name: "omni-voice") { [self] in
            let talker: String
            do throws(ConversionError) {
                guard let conversion = try command.engine.conversion(of: path, logger: logger).ofTalker() else { return nil }
                talker = try ConversionCache(folder: folder).files(of: conversion, logger: logger) { _ in }.path
            } catch {
                throw APIError(error)
            }
            let sound = try sound(of: path)
            var parts = VoiceParts(talker: talker, decoder: Token2WavDecoder(model: sound, makeLane: makeLane), lane: try makeLane())
            parts.words = SpokenWords.of
            return parts
        }
    }

    private func sound(of path: String) throws -> Token2Wav {
        let flags = command.engine
        var options = Token2WavOptions()
        options.threads = flags.threads ?? options.threads
        options.rounding = flags.dtype?.isHalf == true ? .fast : .exact
        options.useGPU = flags.gpuLayers != 0
        if let name = flags.token2wavSolver {
            guard let solver = Token2WavSettings.Solver(rawValue: name) else {
                throw APIError(
                    .invalidRequest, "--token2wav-solver \(name) is not known.", remedy: "Known are: \(Token2WavSettings.Solver.known).")
            }
            options.settings.solver = solver
        }
        options.settings.steps = flags.token2wavSteps ?? options.settings.steps
        options.settings.guidance = flags.token2wavGuidance.map { Float($0) } ?? options.settings.guidance
        do {
            try options.settings.check()
            return try Token2Wav(folder: path, options: options)
        } catch let error as Token2WavError {
            throw APIError(.internalError, "\(path): \(error).")
        }
    }
}
