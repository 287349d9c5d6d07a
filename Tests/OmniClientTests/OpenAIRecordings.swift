import Foundation
import Testing

@testable import OmniClient

private let recordings = ProcessInfo.processInfo.environment["OMNI_OPENAI_RECORDINGS"]

/// Replies of the real OpenAI that other projects recorded, from the file in `OMNI_OPENAI_RECORDINGS`; `Tools/sdk/cassettes.py`
/// makes it. What the client reads is compared with the recorded JSON.
@Suite("OpenAI's recorded replies", .enabled(if: recordings != nil))
struct OpenAIRecordings {
    private struct Recorded: Sendable {
        var name: String
        var line: Recording.Line
        var isStream: Bool { line.contentType.hasPrefix("text/event-stream") }

        /// The whole reply, or the data of its events.
        func json() throws -> [JSONValue] {
            guard isStream else { return [try JSONValue.parse(line.body)] }
            return try String(decoding: line.body, as: UTF8.self).split(whereSeparator: \.isNewline)
                .filter { $0.hasPrefix("data: ") && $0 != "data: [DONE]" }.map { try JSONValue.parse(String($0.dropFirst(6))) }
        }
    }

    private func values() throws -> [JSONValue] { try Recording.values(in: URL(filePath: try #require(recordings))) }

    @Test("every reply is read, and says what its JSON says")
    func replies() async throws {
        var counts: [String: Int] = [:]
        for json in try values() {
            let recorded = Recorded(name: json["file"]?.stringValue ?? "", line: Recording.Line(json))
            counts["\(recorded.line.path) \(recorded.line.status)\(recorded.isStream ? " streamed" : "")", default: 0] += 1
            try await StandIn.serving { _ in
                recorded.line.answer
            } _: { server in
                var configuration = OmniClient.Configuration(baseURL: server.baseURL, environment: [:])
                configuration.retries = .never
                do {
                    try await check(recorded, OmniClient(configuration))
                } catch {
                    Issue.record("\(recorded.name): \(error)")
                }
            }
        }
        #expect(!counts.isEmpty)
        for (kind, count) in counts.sorted(by: { $0.key < $1.key }) { print("read \(count) of \(kind)") }
    }

    @Test("every chat request is one that our server decodes, but for those with files")
    func requests() throws {
        var taken = 0
        for json in try values() {
            guard json["path"] == "/v1/chat/completions", let request = json["request"], case .object = request else { continue }
            do {
                _ = try ChatCompletionRequest(json: request)
                taken += 1
            } catch {
                #expect("\(error)".contains("not \"file\""))
            }
        }
        #expect(taken > 0)
        print("decoded \(taken) requests")
    }

    private func check(_ recorded: Recorded, _ client: OmniClient) async throws {
        let json = try recorded.json()
        guard recorded.line.status < 400 else {
            let told = json[0]["error"] ?? .null
            let error = await #expect(throws: OmniError.self) { _ = try await client.chat.create(ChatCompletionRequest([.user("x")])) }
            #expect(
                error?.status == recorded.line.status && error?.message == told["message"]?.stringValue
                    && error?.type == told["type"]?.stringValue)
            #expect(error?.code == told["code"]?.stringValue && error?.param == told["param"]?.stringValue, "\(recorded.name)")
            return
        }
        switch recorded.line.path {
        case "/v1/chat/completions": try await checkChat(recorded, json, client)
        case "/v1/completions": try await checkCompletion(recorded, json, client)
        case "/v1/embeddings":
            let reply = try await client.embeddings.create(EmbeddingRequest(["x"]))
            let vectors = try (json[0]["data"]?.arrayValue ?? []).map { try Embedding(json: $0).vector }
            #expect(!vectors.isEmpty && vectors.allSatisfy { !$0.isEmpty } && reply.data.map(\.vector) == vectors, "\(recorded.name)")
            #expect(reply.usage?.promptTokens == json[0]["usage"]?["prompt_tokens"]?.intValue)
        case "/v1/images/generations":
            let reply = try await client.images.generate(ImageGenerationRequest("x"))
            #expect(
                !reply.data.isEmpty && reply.data.map(\.url) == json[0]["data"]?.arrayValue?.map { $0["url"]?.stringValue },
                "\(recorded.name)")
        default: Issue.record("nothing reads \(recorded.line.path)")
        }
    }

    private func checkChat(_ recorded: Recorded, _ json: [JSONValue], _ client: OmniClient) async throws {
        let request = ChatCompletionRequest([.user("x")])
        guard recorded.isStream else {
            let reply = try await client.chat.create(request), choice = json[0]["choices"]?[0], message = choice?["message"]
            #expect(
                reply.text == message?["content"]?.stringValue ?? ""
                    && reply.choices.first?.finishReason == choice?["finish_reason"]?.stringValue, "\(recorded.name)")
            #expect(reply.choices.first?.message.refusal == message?["refusal"]?.stringValue)
            let calls = message?["tool_calls"]?.arrayValue ?? []
            #expect(
                (reply.choices.first?.message.toolCalls ?? []).map(\.function.arguments)
                    == calls.map { $0["function"]?["arguments"]?.stringValue ?? "" })
            #expect(
                reply.usage?.completionTokens == json[0]["usage"]?["completion_tokens"]?.intValue
                    && reply.model == json[0]["model"]?.stringValue)
            return
        }
        var text = "", refusal = "", arguments = "", finish: String?, usage: Usage?
        for try await chunk in try await client.chat.stream(request) {
            text += chunk.text
            for choice in chunk.choices where choice.index == 0 {
                refusal += choice.delta.refusal ?? ""
                arguments += (choice.delta.toolCalls ?? []).compactMap(\.function?.arguments).joined()
                finish = choice.finishReason ?? finish
            }
            usage = chunk.usage ?? usage
        }
        let deltas = json.compactMap { $0["choices"]?[0] }.filter { $0["index"]?.intValue == 0 }.compactMap { $0["delta"] }
        #expect(text == deltas.compactMap { $0["content"]?.stringValue }.joined(), "\(recorded.name)")
        #expect(refusal == deltas.compactMap { $0["refusal"]?.stringValue }.joined(), "\(recorded.name)")
        let calls = deltas.flatMap { $0["tool_calls"]?.arrayValue ?? [] }
        #expect(arguments == calls.compactMap { $0["function"]?["arguments"]?.stringValue }.joined(), "\(recorded.name)")
        #expect(finish == json.compactMap { $0["choices"]?[0]?["finish_reason"]?.stringValue }.last, "\(recorded.name)")
        #expect(usage?.completionTokens == json.compactMap { $0["usage"]?["completion_tokens"]?.intValue }.last, "\(recorded.name)")
    }

    private func checkCompletion(_ recorded: Recorded, _ json: [JSONValue], _ client: OmniClient) async throws {
        var text = ""
        if recorded.isStream {
            for try await piece in try await client.completions.stream(CompletionRequest("x")) { text += piece.text }
        } else {
            text = try await client.completions.create(CompletionRequest("x")).text
        }
        #expect(text == json.compactMap { $0["choices"]?[0]?["text"]?.stringValue }.joined(), "\(recorded.name)")
    }
}
