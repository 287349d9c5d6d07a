import OmniAPI
import OmniEngine

/// Speaks units with sherpa-onnx, one call for each and one hold of the lane for a turn.
// @unchecked: the front end is touched by the synthesis thread alone.
final class SherpaSpeaker: UnitSpeaker, @unchecked Sendable {
    struct Manner {
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
    private let voice: SherpaVoice
    private let frontEnd: SpeechFrontEnd
    private let lane: any ComputeLane

    init(voice: SherpaVoice, phonemizer: Phonemizer?, table: SymbolTable?, lane: any ComputeLane) {
        facts = Facts(sampleRate: voice.sampleRate, speakers: voice.speakerCount, languages: phonemizer?.languages ?? [])
        frontEnd = SpeechFrontEnd(phonemizer: phonemizer, table: table)
        self.voice = voice
        self.lane = lane
    }

    /// One while others want the lane, who would wait for the longest of several.
    var breadth: Int { lane.isWanted ? 1 : voice.breadth }

    func prepare(_ unit: SpeechText.Unit, _ manner: Manner) throws -> PreparedUnit<SherpaUtterance.Input> {
        try frontEnd.prepare(unit.text, espeakVoice: manner.espeakVoice)
    }

    func takeTurn(_ turn: () -> Void) { lane.hold(turn) }

    func speak(
        _ script: SherpaUtterance.Input, at index: Int, _ manner: Manner, cancellation: SpeechCancellation, emit: ([Float]) throws -> Void
    ) throws {
        let utterance = SherpaUtterance(input: script, speaker: manner.speaker, reference: manner.reference, extra: manner.extra)
        guard let samples = try voice.speak(utterance, cancellation: cancellation.request) else { throw CancellationError() }
        try emit(samples)
    }
}
