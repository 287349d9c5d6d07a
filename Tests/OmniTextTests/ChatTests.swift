import OmniAPI
import OmniEngine
import Testing

@testable import OmniText

@Suite("Chat with the starter model", .enabled(if: TestModel.isHere), .serialized)
struct ChatTests {
    @Test("answers a question, and the parts of the stream make up the answer")
    func answers() async throws {
        let engine = try await TestModel.engine()
        let answers = try await engine.answers(question("What is the capital of France?"))
        print(answers)
        #expect(answers.first.text.contains("Paris"))
        #expect(answers.first.pieces.count > 3)
        #expect(answers.usage.completionTokens > 3)
        await engine.shutdown()
    }
}
