import Foundation
import Logging
import OmniAPI
import OmniEngine
import Testing

@testable import OmniSpeech

@Suite("Requests at the door of a speech model")
struct SynthesisThreadTests {
    /// Speaks nothing until it may.
    final class Gate: UnitSpeaker {
        typealias VoiceSettings = Int
        let facts = 0
        let maxConcurrency = 1
        let opening = DispatchSemaphore(value: 0)

        func prepare(_ unit: SpeechText.Unit, _ settings: Int) throws -> PreparedUnit<String> {
            PreparedUnit(script: unit.text, symbols: 1)
        }
        func takeTurn(of count: Int, _ turn: () -> Void) { turn() }
        func speak(_ script: String, at index: Int, _ settings: Int, cancellation: SpeechCancellation, emit: ([Float]) throws -> Void)
            throws
        {
            opening.wait()
            opening.signal()
            try emit([0.5, 0.5])
        }
    }

    @Test("however many come at once, no more are taken than there are places", .timeLimit(.minutes(10)))
    func places() async throws {
        let gate = Gate()
        let (thread, _) = try await BlockingThread.run(name: "test") { try SynthesisThread.start { gate } }
        var options = SpeechOptions()
        options.mostRequests = 4
        let plan = try SpeechJob<Gate>.Plan(SpeechSynthesis(text: "One."), settings: 0, modelRate: 24_000, options: options)
        typealias Events = AsyncThrowingStream<SpeechEvent, any Error>
        var taken: [Events] = []
        for _ in 0..<20 {
            taken += await withTaskGroup(of: Events?.self) { group in
                for _ in 0..<32 {
                    group.addTask {
                        do {
                            return try await thread.speak("One.", plan, scope: RequestScope(id: "x"), logger: Logger(label: "test"))
                        } catch {
                            #expect((error as? APIError)?.status == 503)
                            return nil
                        }
                    }
                }
                return await group.reduce(into: []) { if let events = $1 { $0.append(events) } }
            }
        }
        #expect(taken.count == 4)
        gate.opening.signal()
        for events in taken { for try await _ in events {} }
        await thread.end()
    }
}

@Suite("espeak-ng that is not there")
struct EspeakProgramTests {
    @Test("a program that cannot be launched is an error, and the process lives", arguments: ["/nowhere/espeak-ng", "/dev/null", "/"])
    func missing(program: String) {
        for _ in 0..<3 {
            #expect { try EspeakProgram(voice: "en-us", program: program) } throws: {
                ($0 as? APIError)?.message.contains("espeak-ng") == true
            }
        }
    }
}
