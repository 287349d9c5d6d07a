import Foundation
import OmniEngine
import OmniMedia
import OmniSpeech
import Testing

private let isWanted = ProcessInfo.processInfo.environment["OMNI_SPEECH_SPEED_REPORT"] != nil

/// Prints time to the first sound and real-time factor at 1, 2, 4 and 8 listeners. Only when OMNI_SPEECH_SPEED_REPORT is set:
/// it proves something on a calm machine only.
@Suite("Speed report", .enabled(if: isWanted && StarterVoice.isThere))
struct SpeedReport {
    private static let sentence = "Please call me tomorrow morning before you leave the house for work."

    @Test("first sound and real-time factor", arguments: [1, 2, 4, 8])
    func report(listeners: Int) async throws {
        let engine = try await StarterVoice.engine()
        for _ in 0..<3 { _ = try await engine.hear(Self.sentence) }
        var first: [Double] = [], seconds = 0.0
        let began = ContinuousClock.now, computed = processorSeconds
        for _ in 0..<5 {
            let heard = try await withThrowingTaskGroup(of: Heard.self) { group in
                for _ in 0..<listeners { group.addTask { try await engine.hear(Self.sentence) } }
                return try await group.reduce(into: [Heard]()) { $0.append($1) }
            }
            first += heard.compactMap { $0.firstSound.map { $0 / .seconds(1) } }
            seconds += heard.reduce(0) { $0 + $1.clip.duration }
        }
        let took = (ContinuousClock.now - began) / .seconds(1)
        first.sort()
        print(
            "REPORT \(listeners) listeners: first sound \(first[first.count / 2]) s (median), \(first[first.count - 1]) s (worst); factor \(took / seconds); \((processorSeconds - computed) / seconds) processor seconds a second of sound"
        )
    }

    /// What all threads of this process have computed, which other processes do not change much.
    private var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
