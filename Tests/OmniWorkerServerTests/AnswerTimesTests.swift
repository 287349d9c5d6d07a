import OmniAPI
import OmniEngine
import Testing

@testable import OmniWorkerServer

@Suite("When the parts of an answer came")
struct AnswerTimesTests {
    @Test("a listener who plays as it comes hears a gap for each piece that is late, and none for the others")
    func underruns() {
        var sound = PlayedSound()
        // Heard from 1.0 on; the second piece is there before the first has been heard, the third half a second late.
        for (length, time) in [(0.5, 1.0), (0.5, 1.2), (0.2, 2.5), (0.2, 2.6), (0.2, 3.0)] { sound.add(length, at: time) }
        #expect(sound.began == 1 && abs(sound.seconds - 1.6) < 1e-9)
        #expect(sound.underruns == 2, "at 2.0 for half a second, and at 2.9 for a tenth")
        var late = PlayedSound()
        for (length, time) in [(0.1, 0.0), (0.1, 0.105)] { late.add(length, at: time) }
        #expect(late.underruns == 0, "nobody hears five milliseconds")
    }

    @Test("texts and sounds have times of their own, and an answer without sound has none of it")
    func stages() {
        var times = AnswerTimes()
        times.note(.text(index: 0, "a", logprobs: []), at: 0.25)
        #expect(times.json == ["stage_metrics": ["text": ["time_to_first_token_s": 0.25, "duration_s": 0.25]]])
        times.note(.audio(index: 0, [Float](repeating: 0, count: 12), sampleRate: 24), at: 0.5)
        times.note(.text(index: 0, "b", logprobs: []), at: 0.75)
        times.note(.finished(index: 0, .stop, stopReason: .null), at: 1)
        #expect(
            times.json["stage_metrics"] == [
                "text": ["time_to_first_token_s": 0.25, "duration_s": 0.75],
                "audio": ["time_to_first_packet_s": 0.5, "duration_s": 1.0, "audio_s": 0.5, "real_time_factor": 2.0, "underruns": 0],
            ])
    }
}
