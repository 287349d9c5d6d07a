import OmniAPI
import OmniAnswerSchema
import OmniEngine
import OmniHTTP

/// `/v1/completions`.
struct CompletionRoutes: RouteGroup {
    let forwarder: Forwarder

    func add(to table: inout RouteTable) {
        let doc = RouteDoc("Text that goes on from a prompt.", .chat)
            .takes(CompletionRequest.self, example: ["prompt": "Once upon a time", "max_tokens": 16])
            .answers(TextCompletion.self)
            .streams(
                [.object(TextCompletion.self), .object(ErrorReply.self)],
                "With `stream`: each event has the text that it adds, then `[DONE]`."
            )
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
        forwarder.addRoute(
            to: &table, "/v1/completions", doc, task: "completions", able: [.chat], CompletionRequest.self, model: \.model,
            keeps: \.keepAlive, and: \.keywordsWithoutEffect)
    }
}
