import NIOConcurrencyHelpers
import OmniAPI
import OmniEngine

/// Counts the sound of chats that a model speaks itself, in the families of API.md, section 18.
struct SpokenChatMeter: Sendable {
    let registry: MetricsRegistry
    let modelName: String

    /// What one answer's events are noted in; nil where nobody asked for sound.
    func count(if isSpoken: Bool) -> SpokenChatCount? { isSpoken ? SpokenChatCount(meter: self) : nil }

    /// The last of three stages makes the sound.
    fileprivate var labels: KeyValuePairs<String, String> { ["model_name": modelName, "stage": "2", "replica": "0"] }
}

/// One spoken answer, from its start on.
final class SpokenChatCount: Sendable {
    private let meter: SpokenChatMeter
    private let began = ContinuousClock.now
    private let seconds = NIOLockedValueBox(0.0)

    fileprivate init(meter: SpokenChatMeter) { self.meter = meter }

    func note(_ event: TextEvent) {
        let elapsed = (ContinuousClock.now - began) / .seconds(1)
        switch event {
        case .audio(_, let samples, let sampleRate) where sampleRate > 0:
            let isFirst = seconds.withLockedValue { seconds in
                defer { seconds += Double(samples.count) / Double(sampleRate) }
                return seconds == 0
            }
            if isFirst { SpeechMeter.firstSound(after: elapsed, meter.registry, labels: meter.labels) }
        case .finished:
            SpeechMeter.sound(seconds.withLockedValue { $0 }, in: elapsed, meter.registry, labels: meter.labels)
        default: break
        }
    }
}
