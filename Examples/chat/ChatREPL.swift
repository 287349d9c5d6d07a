import Foundation
import OmniClient

/// A conversation, line by line: `swift run example-chat`. The server is `$OMNI_BASE_URL`, else http://localhost:8091.
@main
struct ChatREPL {
    static func main() async throws {
        let client = OmniClient()
        var messages: [ChatMessage] = [.system("You are brief and friendly.")]
        print("You: ", terminator: "")
        while let line = readLine(), line != "quit" {
            messages.append(.user(line))
            var answer = ""
            do {
                var request = ChatCompletionRequest(messages)
                request.maxCompletionTokens = 300
                // Tokens as they come. Leaving this loop would stop the server.
                for try await chunk in try await client.chat.stream(request) {
                    print(chunk.text, terminator: "")
                    fflush(nil)
                    answer += chunk.text
                }
                messages.append(.assistant(answer))
            } catch let error as OmniError {
                print(error)
                messages.removeLast()
            }
            print("\nYou: ", terminator: "")
        }
    }
}
