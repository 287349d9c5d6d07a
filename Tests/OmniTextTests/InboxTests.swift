import OmniAPI
import OmniEngine
import Testing

@testable import OmniText

@Suite("The queue of requests")
struct InboxTests {
    private func request(answers: Int) -> GenerationRequest {
        let (_, events) = GenerationRequest.Events.makeStream()
        return GenerationRequest(
            prompts: [Prompt([1])], choices: answers, plan: SamplingPlan(), maxTokens: 1, scope: RequestScope(id: "test"), events: events)
    }

    @Test("answers are counted, not requests: several at once do not pass the limit together")
    func overshoot() throws {
        let inbox = Inbox(maxSequences: 2, maxQueue: 4)
        try inbox.add(request(answers: 3))
        let error = #expect(throws: APIError.self) { try inbox.add(request(answers: 4)) }
        #expect(error?.status == 503 && error?.fullMessage.contains("--max-queue") == true)
        try inbox.add(request(answers: 3))
        #expect(throws: APIError.self) { try inbox.add(request(answers: 1)) }
        inbox.finished(3, seconds: 1)
        try inbox.add(request(answers: 3))
    }

    @Test("a request that is larger than the queue is taken when nobody is there")
    func large() throws {
        let inbox = Inbox(maxSequences: 1, maxQueue: 1)
        try inbox.add(request(answers: 5))
        #expect(throws: APIError.self) { try inbox.add(request(answers: 1)) }
    }
}
