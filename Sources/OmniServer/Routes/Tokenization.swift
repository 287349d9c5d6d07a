import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway

extension GatewayRoutes {
    func addTokenization(to table: inout RouteTable) {
        let tokens = RouteDoc("The tokens of a text or a conversation.", .chat)
            .takes(TokenizeRequest.self, example: ["prompt": "Say hi."]).answers(TokenizeReply.self).fails(.reading + .serving)
        let text = RouteDoc("The text of tokens.", .chat)
            .takes(DetokenizeRequest.self, example: ["tokens": [1, 2]]).answers(DetokenizeReply.self).fails(.reading + .serving)
        addForwarding(to: &table, "/tokenize", tokens, task: "tokenization", kinds: [.text], TokenizeRequest.self, model: \.model)
        addForwarding(to: &table, "/detokenize", text, task: "tokenization", kinds: [.text], DetokenizeRequest.self, model: \.model)
    }
}

extension WorkerRoutes {
    func addTokenization(to table: inout RouteTable) {
        table.add(.post, "/tokenize", "The tokens of a text or a conversation.") { request, context in
            let (tokenize, ignored) = try context.decode(TokenizeRequest.self, from: try await context.collectJSON(request))
            let model = try worker.require((any TextModel).self, task: "tokenization")
            let tokens = try await model.tokenize(tokenize)
            let texts: JSONValue = tokenize.returnTokenTexts ? .array(tokens.map { .string(String(decoding: model.piece(of: $0), as: UTF8.self)) }) : .null
            return .json(
                [
                    "count": .int(tokens.count), "max_model_len": model.card.maxModelLength.map { .int($0) } ?? .null,
                    "tokens": .array(tokens.map { .int($0) }), "token_strs": texts,
                ], ignored: ignored)
        }
        table.add(.post, "/detokenize", "The text of tokens.") { request, context in
            let (detokenize, ignored) = try context.decode(DetokenizeRequest.self, from: try await context.collectJSON(request))
            let model = try worker.require((any TextModel).self, task: "tokenization")
            return .json(["prompt": .string(try await model.detokenize(detokenize.tokens))], ignored: ignored)
        }
    }
}
