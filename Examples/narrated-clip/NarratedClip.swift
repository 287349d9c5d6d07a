import Foundation
import OmniClient

/// A video and the voice that tells of it: `swift run example-narrated-clip "a paper boat on a pond"`.
///
/// A language model writes the sentence, a video model makes the clip while a voice speaks it. The server needs a model of each kind.
@main
struct NarratedClip {
    static func main() async throws {
        do {
            try await tell()
        } catch let error as OmniError {
            print(error)
            exit(1)
        }
    }

    private static func tell() async throws {
        let client = OmniClient()
        let subject = CommandLine.arguments.dropFirst().first ?? "a paper boat on a pond"
        var asked = ChatCompletionRequest([.user("Describe \(subject) in one short sentence.")])
        asked.maxTokens = 40
        let sentence = try await client.chat.create(asked).text
        print(sentence)

        async let video = video(subject, client)
        async let voice = client.speech.create(SpeechRequest(sentence)).save(to: URL(fileURLWithPath: "narration.wav"))
        print("clip.mp4: \(try await video) bytes, narration.wav: \(try await voice) bytes")
        print("Together: ffmpeg -i clip.mp4 -i narration.wav -c:v copy narrated.mp4")
    }

    /// The bytes of `clip.mp4`.
    private static func video(_ subject: String, _ client: OmniClient) async throws -> Int {
        // The key makes the request safe to repeat, should the connection break: there will be one job.
        let once = CallOptions(idempotencyKey: UUID().uuidString)
        let job = try await client.videos.createAndPoll(VideoGenerationRequest(subject), once) { job in
            print("\(job.stage ?? job.status.rawValue) \(job.progress) %" + (job.etaSeconds.map { ", \(Int($0)) s left" } ?? ""))
        }
        return try await client.videos.content(job.id).save(to: URL(fileURLWithPath: "clip.mp4"))
    }
}
