import Foundation
import Logging
import OmniAPI
import OmniEngine
import Testing

@testable import OmniText

/// The starter text model, loaded once for all tests of a run.
enum TestModel {
    /// Where it lies: `OMNI_TEST_TEXT_MODEL`, or where `omni setup` puts it.
    static let path: String? = {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["OMNI_TEST_TEXT_MODEL"] { return path }
        let data = environment["XDG_DATA_HOME"] ?? NSHomeDirectory() + "/.local/share"
        let folder = (environment["OMNI_HOME"] ?? data + "/omni") + "/models/smollm2-135m-instruct"
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let found = files.sorted().first { $0.hasSuffix(".gguf") }.map { folder + "/" + $0 }
        if found == nil {
            FileHandle.standardError.write(
                Data("SKIPPING every test with a model: no *.gguf in \(folder); run omni setup or set OMNI_TEST_TEXT_MODEL\n".utf8))
        }
        return found
    }()

    static var isHere: Bool { path != nil }

    static func engine(_ options: TextEngineOptions = TextEngineOptions(), lane: any ComputeLane = FreeLane()) async throws -> TextEngine {
        let path = try #require(path)
        // ggml's threads spin at every node: two of them on a busy machine take turns waiting for each other.
        var options = options
        options.threads = options.threads ?? 1
        var logger = Logger(label: "test")
        logger.logLevel = .warning
        return try #require(try await TextEngine.load(path: path, options: options, lane: lane, logger: logger) as? TextEngine)
    }
}

/// An answer, collected from its events.
struct Answer: Equatable {
    var text = ""
    var reasoning = ""
    var calls: [ParsedAnswer.Call] = []
    var callIDs: [String] = []
    var reason: FinishReason?
    var stopReason: JSONValue = .null
    var logprobs: [TokenLogprob] = []
    var pieces: [String] = []
}

extension Answer {
    /// Numbers differ in their last bits with the shape of a batch, and more on some CPUs, so that an answer may part from its
    /// twin where tokens are nearly as likely: answers agree when they are equal up to such a place, and the twin took another
    /// likely one. Both must come from ``comparable(_:maxTokens:)``.
    func agrees(with twin: Answer, within tolerance: Double = 0.5) -> Bool {
        guard let (own, other) = zip(logprobs, twin.logprobs).first(where: { $0.token != $1.token }) else { return !text.isEmpty }
        guard let likely = own.top.first(where: { $0.token == other.token }) else { return false }
        return own.logprob - likely.logprob < tolerance
    }
}

struct Answers {
    var choices: [Int: Answer] = [:]
    var usage = Usage()
    var first: Answer { choices[0] ?? Answer() }

    init(_ generation: TextGeneration) async throws {
        for try await event in generation.events { add(event) }
    }

    mutating func add(_ event: TextEvent) {
        switch event {
        case .text(let index, let text, let logprobs):
            choices[index, default: Answer()].text += text
            choices[index, default: Answer()].pieces.append(text)
            choices[index, default: Answer()].logprobs += logprobs
        case .reasoning(let index, let text): choices[index, default: Answer()].reasoning += text
        case .toolCall(let index, let call, let id, let name, let arguments):
            var answer = choices[index, default: Answer()]
            if let id { answer.callIDs.append(id) }
            if let name { answer.calls.append(ParsedAnswer.Call(name: name, arguments: "")) }
            if answer.calls.indices.contains(call) { answer.calls[call].arguments += arguments }
            choices[index] = answer
        case .finished(let index, let reason, let stopReason):
            choices[index, default: Answer()].reason = reason
            choices[index, default: Answer()].stopReason = stopReason
        case .usage(let usage), .progress(let usage): self.usage = usage
        case .audio, .image: Issue.record("a language model makes no sound and no pictures")
        }
    }
}

/// A conversation of one question.
func question(
    _ text: String, maxTokens: Int? = 24, temperature: Double = 0, change: (inout ChatCompletionRequest) -> Void = { _ in }
) -> ChatCompletionRequest {
    var request = ChatCompletionRequest()
    request.messages = [ChatMessage(.user, text)]
    request.maxTokens = maxTokens
    request.sampling.temperature = temperature
    change(&request)
    return request
}

/// The same, with what ``Answer/agrees(with:)`` needs.
func comparable(_ text: String, maxTokens: Int = 12) -> ChatCompletionRequest {
    question(text, maxTokens: maxTokens) {
        $0.logprobs = true
        $0.topLogprobs = 5
    }
}

extension TextEngine {
    func answers(_ request: ChatCompletionRequest, id: String = "test") async throws -> Answers {
        try await Answers(chat(request, scope: RequestScope(id: id)))
    }

    /// Starts an answer and returns once its first piece has come; the rest is under way.
    func begun(_ request: ChatCompletionRequest) async throws -> Task<Answers, any Error> {
        let generation = try await chat(request, scope: RequestScope(id: "test"))
        let (pieces, start) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            defer { start.finish() }
            var answers = Answers()
            for try await event in generation.events {
                answers.add(event)
                start.finish()
            }
            return answers
        }
        for await _ in pieces {}
        return task
    }

    func answers(_ request: CompletionRequest, id: String = "test") async throws -> Answers {
        try await Answers(complete(request, scope: RequestScope(id: id)))
    }
}

/// A plain completion at temperature 0.
func completion(_ prompts: [CompletionRequest.Prompt], maxTokens: Int = 4, change: (inout CompletionRequest) -> Void = { _ in })
    -> CompletionRequest
{
    var request = CompletionRequest()
    request.prompts = prompts
    request.maxTokens = maxTokens
    request.sampling.temperature = 0
    change(&request)
    return request
}
