import OmniEngine
import Synchronization
import Testing

@testable import OmniText

@Suite("Sound of answers that may call tools")
struct SpeechGateTests {
    /// What went through, by its first sample.
    private final class Heard: Sendable {
        private let pieces = Mutex<[Float]>([])
        var all: [Float] { pieces.withLock { $0 } }
        func take(_ event: TextEvent) {
            if case .audio(_, let samples, _) = event { pieces.withLock { $0.append(samples[0]) } }
        }
    }

    private func sound(_ value: Float) -> TextEvent { .audio(index: 0, [value], sampleRate: 24_000) }

    @Test("sound waits for the first word, and nothing of it is lost")
    func words() {
        let (gate, heard) = (SpeechGate(isOpen: false), Heard())
        gate.pass(sound(1), heard.take)
        #expect(heard.all.isEmpty && !gate.wasOpen)
        gate.open(heard.take)
        gate.pass(sound(2), heard.take)
        #expect(heard.all == [1, 2] && gate.wasOpen)
        gate.close()
        gate.pass(sound(3), heard.take)
        #expect(heard.all == [1, 2] && gate.wasOpen, "what follows a call is not heard")
    }

    @Test("a call without words is not spoken")
    func call() {
        let (gate, heard) = (SpeechGate(isOpen: false), Heard())
        gate.pass(sound(1), heard.take)
        gate.close()
        gate.open(heard.take)
        gate.pass(sound(2), heard.take)
        #expect(heard.all.isEmpty && !gate.wasOpen)
    }
}
