import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniAnswerSchema
import OmniGateway
import OmniHTTP
import OmniStore

/// `/v1/responses`: OpenAI's Responses API, answered by the chat models.
struct ResponseRoutes: RouteGroup {
    let upstream: ChatUpstream
    let store: any ResponseStore

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/responses", Self.createDoc) { request, context in
            let (asked, ignored) = try context.decode(
                ResponsesRequest.self, from: try await context.collectJSON(request), and: \.keywordsWithoutEffect)
            let earlier = try await conversation(asked.previousResponseID)
            let entry = try upstream.entry(named: asked.model, task: "responses")
            let reply = try await upstream.send(asked.chat(after: earlier).json, to: "/v1/chat/completions", entry, context)
            let answer = Answer(request: asked, earlier: earlier, reply: reply, entry: entry, routes: self)
            let told = entry.telling(ignored)
            if asked.stream { return answer.streamed(context, ignored: told) }
            return .json(try await context.cancelOnDisconnect { try await answer.whole(context) }, ignored: told)
        }
        table.add(.get, "/v1/responses/{response_id}", Self.getDoc) { _, context in .json(try await stored(context).response) }
        table.add(.delete, "/v1/responses/{response_id}", Self.deleteDoc) { _, context in
            var deleted = ResponseDeleted()
            deleted.id = try context.parameters.require("response_id")
            guard try await store.remove(deleted.id) else { throw Self.unknown(deleted.id) }
            return .json(deleted.json)
        }
        table.add(.get, "/v1/responses/{response_id}/input_items", Self.itemsDoc) { request, context in
            let query = try request.query(ResponseItemQuery.self)
            return .json(ResponseItemList(try await stored(context).input, query).json)
        }
        table.add(.post, "/v1/responses/{response_id}/cancel", Self.cancelDoc) { request, context in
            _ = try await context.collectBody(request)
            _ = try await stored(context)
            throw APIError.invalid(
                "response_id",
                "Only a background response can be cancelled, and this server has none: close the connection of a running one instead.")
        }
    }

    private func stored(_ context: OmniContext) async throws -> StoredResponse {
        let id = try context.parameters.require("response_id")
        guard let response = try await store.response(id) else { throw Self.unknown(id) }
        return response
    }

    /// The items of a stored response's conversation.
    private func conversation(_ id: String?) async throws -> [ResponseItem] {
        guard let id else { return [] }
        guard let stored = try await store.response(id) else {
            throw APIError(
                .notFound, "There is no stored response `\(id.prefix(80))`.",
                remedy: "It may be older than 30 days, or made with `store: false`: send its items instead.",
                param: "previous_response_id")
        }
        return try stored.conversation.enumerated().map {
            try ResponseItem(json: $1, at: WirePath.root("previous_response_id").appending($0))
        }
    }

    private static func unknown(_ id: String) -> APIError {
        APIError(
            .notFound, "There is no stored response `\(id.prefix(80))`.", remedy: "Responses are kept for 30 days unless `store` is false.",
            param: "response_id")
    }

    /// An answer that is being computed.
    private struct Answer: Sendable {
        let request: ResponsesRequest
        let earlier: [ResponseItem]
        let reply: UpstreamResponse
        let entry: CatalogueEntry
        let routes: ResponseRoutes

        private var now: Int { Int(Date().timeIntervalSince1970) }

        func whole(_ context: OmniContext) async throws -> JSONValue {
            var stream = ResponseStream(request, model: entry.id, now: now)
            try await routes.upstream.read(reply, of: entry, context) { _ = stream.push($0) }
            _ = stream.end(now: now)
            try await keep(stream.response)
            return stream.response.json
        }

        func streamed(_ context: OmniContext, ignored: String?) -> Response {
            context.eventStream(ignored: ignored) { sink in
                func write(_ events: [JSONValue]) async throws {
                    for event in events { try await sink.event(event["type"]?.stringValue ?? "", event) }
                }
                var stream = ResponseStream(request, model: entry.id, now: now)
                do {
                    try await write(stream.begin())
                    try await routes.upstream.read(reply, of: entry, context) { try await write(stream.push($0)) }
                    try await write(stream.end(now: now))
                    // Before its end is told: the next request may name it.
                    try await keep(stream.response)
                    try await write([stream.last()])
                } catch let error as APIError {
                    try await write([stream.failure(error)])
                }
            }
        }

        private func keep(_ response: ResponseObject) async throws {
            guard request.store else { return }
            let input = request.input.map { item -> JSONValue in
                var json = item.json
                if item.id.isEmpty { json["id"] = .string(RequestID.make("msg_", digits: 48)) }
                return .object(json)
            }
            try await routes.store.keep(
                StoredResponse(
                    id: response.id, createdAt: Double(response.createdAt), response: response.json, input: input,
                    conversation: earlier.map { .object($0.json) } + input + response.output))
        }
    }
}

extension ResponseItemList {
    /// A page of `items`.
    init(_ items: [JSONValue], _ query: ResponseItemQuery) {
        self.init()
        let ordered = query.order == .ascending ? items : items.reversed()
        let rest = query.after.map { after in Array(ordered.drop { $0["id"]?.stringValue != after }.dropFirst()) } ?? ordered
        data = Array(rest.prefix(query.limit))
        hasMore = rest.count > data.count
        (firstID, lastID) = (data.first?["id"]?.stringValue, data.last?["id"]?.stringValue)
    }
}

extension ResponseRoutes {
    private static func doc(_ summary: String) -> RouteDoc { RouteDoc(summary, .chat).parameter("response_id", "The response's id.") }

    private static var createDoc: RouteDoc {
        RouteDoc("An answer to a conversation, as OpenAI's Responses API has it.", .chat)
            .takes(ResponsesRequest.self, example: ["input": "Say hi.", "max_output_tokens": 16])
            .answers(ResponseObject.self)
            .streams(
                [.object(ResponseEvent.self)],
                "With `stream`: response.created, the items piece by piece, response.completed or response.incomplete."
            )
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
    }

    private static var getDoc: RouteDoc { doc("A stored response.").answers(ResponseObject.self).fails(.notFound) }
    private static var deleteDoc: RouteDoc { doc("Forgets a stored response.").answers(ResponseDeleted.self).fails(.notFound) }
    private static var itemsDoc: RouteDoc {
        doc("The items that a stored response was asked with.").query(ResponseItemQuery.self).answers(ResponseItemList.self).fails(
            .badRequest, .notFound)
    }
    private static var cancelDoc: RouteDoc {
        doc("Cancels a background response: there are none yet.").takes(.inline { ["type": "object"] }).withOptionalBody()
            .answers(ResponseObject.self).fails(.invalidRequest, .notFound, .tooLarge)
    }
}
