import Foundation
import OmniClient

/// A picture with its progress: `swift run example-picture "a red fox" fox.png`.
@main
struct Picture {
    static func main() async throws {
        do {
            try await draw()
        } catch let error as OmniError {
            print(error)
            exit(1)
        }
    }

    private static func draw() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        var request = ImageGenerationRequest(arguments.first ?? "a red fox in the snow")
        request.partialImages = 2
        let file = URL(fileURLWithPath: arguments.count > 1 ? arguments[1] : "picture.png")
        for try await update in try await OmniClient().images.streamGeneration(request) {
            switch update {
            case .progress(let stage, let step, let steps): print("\(stage) \(step)/\(steps)")
            case .preview(let picture): print("a preview of \(picture.bytes.count) bytes")
            case .completed(let picture):
                try picture.bytes.write(to: file)
                print("\(file.path), \(picture.size ?? "")")
            case .thought(let text): print(text)
            }
        }
    }
}
