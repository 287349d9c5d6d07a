import Testing

@testable import OmniSpeech

@Suite("Silences that a text asks for")
struct SilenceTests {
    /// Samples of units of 1000 samples each, at 1000 Hz with pauses of a tenth of a second.
    func joined(_ text: SpeechText, speed: Double = 1, sound: Int = 1000) -> [Float] {
        var joiner = UnitJoiner(
            sampleRate: 1000, pauses: .init(clause: 0.1, sentence: 0.1, paragraph: 0.1), speed: speed, silence: text.leadingSilence)
        return text.units.flatMap { joiner.append([Float](repeating: 0.5, count: sound)) + joiner.end($0) } + joiner.finish()
    }

    @Test("before, between and behind the words")
    func places() {
        let text = SpeechText("<break time='2s'/>One.<break time='3s'/>Two. Three.<break time='4s'/>")
        let samples = joined(text)
        #expect(samples.count == 2000 + 1000 + 3000 + 1000 + 100 + 1000 + 4000)
        #expect(
            samples[..<2000].allSatisfy { $0 == 0 } && samples[3000..<6000].allSatisfy { $0 == 0 }
                && samples.suffix(4000).allSatisfy { $0 == 0 })
        #expect(samples[2500] == 0.5 && samples[6500] == 0.5)
    }

    @Test("speech that is stretched afterwards leaves them as long as they say", arguments: [0.5, 2])
    func speed(speed: Double) {
        let samples = joined(SpeechText("One.<break time='3s'/>Two."), speed: speed)
        #expect(Double(samples.count - 2000) / speed == 3000)
    }

    @Test("units without sound keep theirs")
    func soundless() {
        #expect(joined(SpeechText("One.<break time='1s'/>Two.<break time='1s'/>"), sound: 0).count == 2000)
    }
}
