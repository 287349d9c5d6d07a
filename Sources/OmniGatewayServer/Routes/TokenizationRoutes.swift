import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// `/tokenize`, `/detokenize`, `/tokenizer_info`.
struct TokenizationRoutes: RouteGroup {
    let forwarder: Forwarder

    func add(to table: inout RouteTable) {
        let tokens = RouteDoc("The tokens of a text or a conversation.", .chat)
            .takes(TokenizeRequest.self, example: ["prompt": "Say hi."]).answers(TokenizeReply.self).fails(.reading + .serving)
        let text = RouteDoc("The text of tokens.", .chat)
            .takes(DetokenizeRequest.self, example: ["tokens": [1, 2]]).answers(DetokenizeReply.self).fails(.reading + .serving)
        forwarder.addRoute(to: &table, "/tokenize", tokens, task: "tokenization", able: [.chat], TokenizeRequest.self, model: \.model)
        forwarder.addRoute(to: &table, "/detokenize", text, task: "tokenization", able: [.chat], DetokenizeRequest.self, model: \.model)
        let about = RouteDoc("What the model's file says of its tokenizer.", .chat).query(TokenizerQuery.self).answers(TokenizerInfo.self)
            .fails(.serving)
        table.add(.get, "/tokenizer_info", about) { request, context in
            let entry = try forwarder.catalogue.entry(
                named: try request.query(TokenizerQuery.self).model, able: [.chat], task: "tokenization")
            return try await forwarder.forward(request, body: nil, to: entry, context: context)
        }
    }
}

/// The query of `GET /tokenizer_info`.
struct TokenizerQuery: WireObject {
    var model: String?

    static var fields: [Field<TokenizerQuery>] { [.optional("model", \.model, .string, "A text model; the default one when absent.")] }
}
