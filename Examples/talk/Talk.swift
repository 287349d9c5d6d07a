import Foundation
import OmniClient

/// A spoken conversation: `swift run example-talk < question.pcm > answer.pcm`. What comes in and what goes out is sound, 16-bit samples
/// at 24 kHz; both transcripts go to the terminal. With a microphone and a loudspeaker:
///
///     arecord -q -t raw -f S16_LE -r 24000 | swift run example-talk | aplay -q -t raw -f S16_LE -r 24000
///
/// The server is `$OMNI_BASE_URL`, else http://localhost:8091.
@main
struct Talk {
    static func main() async throws {
        do {
            try await OmniClient().realtime.session { session in
                try await session.update(
                    JSONObject([
                        ("instructions", "You are brief and friendly."), ("audio", ["input": ["transcription": ["language": "en"]]]),
                    ]))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await listen(session) }
                    try await hear(session)
                    group.cancelAll()
                }
            }
        } catch let error as OmniError {
            print("\(error)", to: &standardError)
        }
    }

    /// Standard input goes to the server, and silence behind it, so that the last turn ends.
    private static func listen(_ session: RealtimeSocket) async throws {
        while let piece = try FileHandle.standardInput.read(upToCount: 4800), !piece.isEmpty { try await session.append([UInt8](piece)) }
        try await session.append([UInt8](repeating: 0, count: 48_000))
    }

    /// Answers go to standard output, until one is over.
    private static func hear(_ session: RealtimeSocket) async throws {
        for try await event in session.events {
            switch event.type {
            case "conversation.item.input_audio_transcription.completed": print("You: \(event.transcript ?? "")", to: &standardError)
            case "response.output_audio_transcript.delta": print(event.delta ?? "", terminator: "", to: &standardError)
            case "response.output_audio.delta": try FileHandle.standardOutput.write(contentsOf: event.sound ?? [])
            case "response.done":
                print("", to: &standardError)
                return
            case "error": throw OmniError(.refused, event.error?.message ?? "")
            default: break
            }
        }
    }
}

/// The terminal, where standard output is sound.
private struct Terminal: TextOutputStream {
    mutating func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

nonisolated(unsafe) private var standardError = Terminal()
