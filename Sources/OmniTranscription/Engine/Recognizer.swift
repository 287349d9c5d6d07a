import Foundation
import OmniAPI
import OmniEngine
import OmniGGUF

/// What the engine's thread hears with: the model, the same once more with times of words, and the detector of pauses.
final class Recognizer {
    struct Facts: Sendable {
        var languages: [SpokenLanguage]
        var isMultilingual: Bool
    }

    private let path: String
    private let plain: WhisperModel
    /// Made when the first request asks for times of words: it cannot do without the scores that flash attention does not write down.
    private var timing: WhisperModel?
    private let detectorPath: String?
    let turn: GraphTurn
    let threads: Int
    let beams: Int

    init(path: String, options: TranscriptionOptions, turn: GraphTurn) throws {
        (self.path, self.turn) = (path, turn)
        (threads, beams) = (options.threadCount, options.beams)
        detectorPath = options.voiceActivityModel ?? Self.detector(beside: path)
        do {
            guard try WhisperFile(url: URL(filePath: path)) != nil else {
                throw APIError.unusableRecognizer(path, "it is no Whisper of whisper.cpp's.")
            }
            try WhisperFile.check(URL(filePath: path))
        } catch let error as GGUFError {
            throw APIError.unusableRecognizer(path, "\(error).")
        }
        plain = try WhisperModel(path: path, timesWords: false, turn: turn)
        if let detectorPath { _ = try VoiceDetector(path: detectorPath) }
    }

    var facts: Facts { Facts(languages: plain.languages, isMultilingual: plain.isMultilingual) }

    func model(timesWords: Bool) throws -> WhisperModel {
        guard timesWords else { return plain }
        if let timing { return timing }
        let model = try turn.run(for: []) { try WhisperModel(path: path, timesWords: true, turn: turn) }
        timing = model
        return model
    }

    func detector() throws -> VoiceDetector? { try detectorPath.map { try VoiceDetector(path: $0) } }

    /// The VAD in the model's folder: `ggml-silero-v6.2.0.bin`.
    static func detector(beside path: String) -> String? {
        let folder = URL(filePath: path).deletingLastPathComponent()
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter {
            $0.contains("silero") && $0.hasSuffix(".bin")
        }
        return names.max().map { folder.appending(path: $0).path }
    }
}
