import OmniAPI
import OmniEngine

/// When the parts of one answer came, in seconds from its request on: what `return_stage_metrics` tells, and what is counted of its sound.
struct AnswerTimes: Sendable {
    private let start = ContinuousClock.now
    private var firstToken: Double?
    private var lastToken = 0.0
    private var seconds = 0.0
    private(set) var sound = PlayedSound()

    mutating func note(_ event: TextEvent) { note(event, at: (ContinuousClock.now - start) / .seconds(1)) }

    mutating func note(_ event: TextEvent, at time: Double) {
        seconds = time
        switch event {
        case .text, .reasoning, .toolCall:
            firstToken = firstToken ?? seconds
            lastToken = seconds
        case .audio(_, let samples, let sampleRate) where sampleRate > 0:
            sound.add(Double(samples.count) / Double(sampleRate), at: seconds)
        default: break
        }
    }

    /// Seconds of work for a second of sound; nil where there was none.
    var realTimeFactor: Double? { sound.seconds > 0 ? seconds / sound.seconds : nil }

    /// `metrics` of a reply.
    var json: JSONValue {
        var stages = JSONObject([
            ("text", ["time_to_first_token_s": firstToken.map { .number($0) } ?? .null, "duration_s": .number(lastToken)])
        ])
        if let began = sound.began {
            stages["audio"] = [
                "time_to_first_packet_s": .number(began), "duration_s": .number(seconds), "audio_s": .number(sound.seconds),
                "real_time_factor": realTimeFactor.map { .number($0) } ?? .null, "underruns": .int(sound.underruns),
            ]
        }
        return ["stage_metrics": .object(stages)]
    }
}
