import Foundation
import OmniAPI
import OmniEngine
import Synchronization

/// Speaks units with sherpa-onnx, one call for each and one hold of the lane for a turn.
// @unchecked: `isShared` changes between turns only.
final class SherpaSpeaker: UnitSpeaker, @unchecked Sendable {
    struct VoiceSettings {
        var speaker: Int
        /// nil for models that read text themselves.
        var espeakVoice: String?
        var reference: ReferenceVoice?
        var extra: JSONObject
    }

    struct Facts {
        /// Hz
        var sampleRate: Int
        var speakers: Int
        /// Of espeak-ng; empty for models that read text themselves.
        var languages: Set<String>
    }

    let facts: Facts
    /// Speaks with all threads.
    private let voice: SherpaVoice
    /// Speaks with one thread, on several threads side by side: ONNX Runtime spends far less on a sentence that way. Nil where
    /// that cannot be, or would cost too much memory.
    private let narrowVoice: SherpaVoice?
    private let threads: Int
    private let frontEnd: Mutex<SpeechFrontEnd>
    private let lane: any ComputeLane
    private var isShared = false

    /// Bytes of a voice that is loaded a second time.
    private static let mostDoubled = 160 << 20

    /// Loads checked files; blocks.
    init(_ prepared: PreparedVoice, phonemizer: sending Phonemizer?, threads: Int, lane: any ComputeLane) throws {
        let doubles = threads > 1 && prepared.isSpokenSideBySide && prepared.byteCount <= Self.mostDoubled
        let loaded = Mutex<[Result<SherpaVoice, any Error>?]>([nil, nil])
        DispatchQueue.concurrentPerform(iterations: doubles ? 2 : 1) { place in
            let voice = Result { try SherpaVoice(prepared, threads: place == 0 ? threads : 1) }
            loaded.withLock { $0[place] = voice }
        }
        let voices = try loaded.withLock { try $0.compactMap { try $0?.get() } }
        voice = voices[0]
        narrowVoice = doubles ? voices[1] : nil
        facts = Facts(sampleRate: voice.sampleRate, speakers: voice.speakerCount, languages: phonemizer?.languages ?? [])
        frontEnd = Mutex(SpeechFrontEnd(phonemizer: phonemizer, table: prepared.symbols))
        self.threads = threads
        self.lane = lane
    }

    /// One while others want the lane, who would wait for the longest of several.
    var maxConcurrency: Int { narrowVoice == nil || lane.isWanted ? 1 : threads }

    func prepare(_ unit: SpeechText.Unit, _ settings: VoiceSettings) throws -> PreparedUnit<SherpaUtterance.Input> {
        try frontEnd.withLock { try $0.prepare(unit.text, espeakVoice: settings.espeakVoice) }
    }

    func takeTurn(of count: Int, _ turn: () -> Void) {
        isShared = count > 1
        lane.hold(turn)
    }

    func speak(
        _ script: SherpaUtterance.Input, at index: Int, _ settings: VoiceSettings, cancellation: SpeechCancellation,
        emit: ([Float]) throws -> Void
    ) throws {
        let utterance = SherpaUtterance(input: script, speaker: settings.speaker, reference: settings.reference, extra: settings.extra)
        let voice = isShared ? narrowVoice ?? voice : voice
        guard let samples = try voice.speak(utterance, cancellation: cancellation.request) else { throw CancellationError() }
        try emit(samples)
    }
}
