import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniHTTP

extension TokenizeRequest {
    fileprivate var bringsMedia: Bool { messages?.contains(where: \.bringsMedia) ?? false }
}

/// `/tokenize`, `/detokenize`, `/tokenizer_info`.
struct TokenizationRoutes: RouteGroup {
    let worker: WorkerModel

    func add(to table: inout RouteTable) {
        table.add(.post, "/tokenize", "The tokens of a text or a conversation.") { request, context in
            let body = try await context.collectJSON(request)
            let (tokenize, ignored) = try context.decode(TokenizeRequest.self, from: body)
            let model = try worker.model(as: (any TextModel).self)
            // A conversation may name media elsewhere, which are fetched and read.
            let tokens = try await context.cancelOnDisconnect(isLong: body.isLong || tokenize.bringsMedia) {
                try await model.tokenize(tokenize)
            }
            let texts: JSONValue =
                tokenize.returnTokenTexts ? .array(tokens.map { .string(String(decoding: model.piece(of: $0), as: UTF8.self)) }) : .null
            return .json(
                [
                    "count": .int(tokens.count), "max_model_len": model.card.maxModelLength.map { .int($0) } ?? .null,
                    "tokens": .array(tokens.map { .int($0) }), "token_strs": texts,
                ], ignored: ignored)
        }
        table.add(.post, "/detokenize", "The text of tokens.") { request, context in
            let (detokenize, ignored) = try context.decode(DetokenizeRequest.self, from: try await context.collectJSON(request))
            let model = try worker.model(as: (any TextModel).self)
            return .json(["prompt": .string(try await model.detokenize(detokenize.tokens))], ignored: ignored)
        }
        table.add(.get, "/tokenizer_info", "What the model's file says of its tokenizer.") { _, _ in
            .json(try worker.model(as: (any TextModel).self).tokenizerInfo.json)
        }
    }
}
