import OmniAPI
import OmniEngine

/// Counts the sound of chats that a model speaks itself, in the families of API.md, section 18.
struct SpokenChatMeter: Sendable {
    let registry: MetricsRegistry
    let modelName: String

    /// The last of three stages makes the sound.
    private var labels: KeyValuePairs<String, String> { ["model_name": modelName, "stage": "2", "replica": "0"] }

    /// An answer is over; `times` are those of its events.
    func count(_ times: AnswerTimes) {
        guard let began = times.sound.began else { return }
        SpeechMeter.firstSound(after: began, registry, labels: labels)
        SpeechMeter.sound(times.sound, realTimeFactor: times.realTimeFactor, registry, labels: labels)
    }
}
