import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniMedia
import OmniSpeech
import Testing

private let renderFolder = ProcessInfo.processInfo.environment["OMNI_SPEECH_OUT"]

/// Writes the texts of Tools/asr as sound files, for the recogniser and for ears. Only when OMNI_SPEECH_OUT names a folder.
@Suite("Render for listening", .enabled(if: renderFolder != nil && StarterVoice.isThere))
struct RenderForListening {
    private static let texts = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Tools/asr/texts")

    @Test("speaks Tools/asr/texts to wav files, with a record of the units")
    func render() async throws {
        let folder = URL(fileURLWithPath: try #require(renderFolder))
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let engine = try await engine()
        var texts: [(name: String, text: String)] = []
        let sentences = try String(contentsOf: Self.texts.appendingPathComponent("sentences.txt"), encoding: .utf8)
        for (number, sentence) in sentences.split(whereSeparator: \.isNewline).enumerated() {
            texts.append((String(format: "sentence-%02d", number + 1), String(sentence)))
        }
        texts.append(("story", try String(contentsOf: Self.texts.appendingPathComponent("story.txt"), encoding: .utf8)))
        // OMNI_SPEECH_COUNT: the first so many only, for slow voices.
        texts = Array(texts.prefix(ProcessInfo.processInfo.environment["OMNI_SPEECH_COUNT"].flatMap { Int($0) } ?? .max))
        let speed = Double(ProcessInfo.processInfo.environment["OMNI_SPEECH_SPEED"] ?? "") ?? 1
        for (name, text) in texts {
            let began = ContinuousClock.now
            let heard = try await engine.hear(SpeechSynthesis(text: text, speed: speed))
            let took = (ContinuousClock.now - began) / .seconds(1)
            let firstSound = heard.firstSound.map { $0 / .seconds(1) } ?? 0
            print(
                "\(name): \(heard.clip.duration) s, factor \(took / heard.clip.duration), first sound after \(firstSound) s, level \(heard.level)"
            )
            try Data(AudioEncoder.encode(heard.clip, as: .wav)).write(to: folder.appendingPathComponent("\(name).wav"))
            try Data(text.utf8).write(to: folder.appendingPathComponent("\(name).txt"))
            let units = heard.units.map { unit -> JSONValue in
                ["index": .int(unit.index), "text": .string(unit.text), "symbols": .int(unit.symbols), "samples": .int(unit.samples)]
            }
            try Data(JSONValue.array(units).jsonText.utf8).write(to: folder.appendingPathComponent("\(name).units.json"))
        }
    }

    /// The voice in OMNI_SPEECH_VOICE, else the starter.
    private func engine() async throws -> SpeechEngine {
        guard let folder = ProcessInfo.processInfo.environment["OMNI_SPEECH_VOICE"] else { return try await StarterVoice.engine() }
        return try await SpeechEngine.load(folder: folder, logger: .init(label: "speech"))
    }
}
