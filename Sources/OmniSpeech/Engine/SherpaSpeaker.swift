import OmniAPI
import OmniEngine

/// Speaks units with sherpa-onnx, one call and one turn at the lane for each.
final class SherpaSpeaker: UnitSpeaker {
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

    func speak(
        _ unit: SpeechText.Unit, at index: Int, _ manner: Manner, cancellation: SpeechCancellation, emit: ([Float]) throws -> Void
    ) throws -> SpokenUnit {
        let prepared = try frontEnd.prepare(unit.text, espeakVoice: manner.espeakVoice)
        let spoken = SpokenUnit(symbols: prepared.symbols, dropped: prepared.dropped, hadWords: prepared.input != nil)
        guard let input = prepared.input else { return spoken }
        let utterance = SherpaUtterance(input: input, speaker: manner.speaker, reference: manner.reference, extra: manner.extra)
        guard let samples = try lane.hold({ try voice.speak(utterance, cancellation: cancellation.request) }) else { throw CancellationError() }
        try emit(samples)
        return spoken
    }
}
