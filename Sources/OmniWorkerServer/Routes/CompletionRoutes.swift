import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniHTTP

/// `/v1/completions`.
struct CompletionRoutes: RouteGroup {
    let worker: WorkerModel

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/completions", "Text that goes on from a prompt.") { request, context in
            let body = try await context.collectJSON(request)
            let (completion, ignored) = try context.decode(CompletionRequest.self, from: body)
            let model = try worker.model(as: (any TextModel).self)
            let adapter = try request.adapter
            let reply = CompletionReply(
                id: completion.requestID ?? context.requestID, model: adapter?.name ?? worker.servedName, request: completion,
                fingerprint: model.systemFingerprint)
            let scope = RequestScope(id: context.requestID, adapter: adapter)
            let generation = try await context.cancelOnDisconnect(isLong: body.isLong) {
                try await model.complete(completion, scope: scope)
            }
            if completion.stream {
                return context.eventStream(ignored: ignored) { sink in
                    defer { scope.cancellation.cancel() }
                    var offsets: [Int: Int] = [:]
                    var counted = completion.streamOptions?.countsContinuously == true ? Usage(promptTokens: generation.promptTokens) : nil
                    for try await event in generation.events {
                        if case .progress(let usage) = event { counted = usage }
                        if let chunk = reply.chunk(event, offsets: &offsets, usage: counted) { try await sink.data(chunk) }
                    }
                    try Task.checkCancellation()
                    try await sink.done()
                }
            }
            let answer = try await context.cancelOnDisconnect {
                defer { scope.cancellation.cancel() }
                var answer = ChatAnswer(choices: completion.prompts.count * completion.n)
                for try await event in generation.events { answer.add(event) }
                try Task.checkCancellation()
                return answer
            }
            return .json(reply.completion(answer), ignored: ignored)
        }
    }
}
