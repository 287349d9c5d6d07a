import Logging
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// Asks chat models on behalf of routes whose own form of a conversation is another one.
struct ChatUpstream: Sendable {
    let catalogue: Catalogue

    /// The named model, or the default one. `task` names it in errors.
    func entry(named name: String?, task: String) throws -> CatalogueEntry { try catalogue.entry(named: name, able: [.chat], task: task) }

    /// What the model's backend answers, with status 200. Throws its error where that is one.
    func send(_ json: JSONValue, to path: String, _ entry: CatalogueEntry, _ context: OmniContext) async throws -> UpstreamResponse {
        try await context.cancelOnDisconnect { try await send(json, to: path, entry, requestID: context.requestID) }
    }

    /// The same for a caller that is cancelled itself when its client goes.
    func send(_ json: JSONValue, to path: String, _ entry: CatalogueEntry, requestID: String) async throws -> UpstreamResponse {
        try await entry.backend.send(UpstreamRequest(posting: json, to: path, requestID: requestID)).orError()
    }

    /// A whole reply.
    func json(_ reply: UpstreamResponse) async throws -> JSONValue { try JSONValue.parse(try await reply.text(upTo: 64 << 20)) }

    /// Reads a streamed chat. Throws the backend's own error, or that it broke.
    func read(
        _ reply: UpstreamResponse, of entry: CatalogueEntry, _ context: OmniContext, _ take: (ChatCompletionChunk) async throws -> Void
    ) async throws {
        try await read(reply, of: entry, logger: context.requestLogger, take)
    }

    func read(
        _ reply: UpstreamResponse, of entry: CatalogueEntry, logger: Logger, _ take: (ChatCompletionChunk) async throws -> Void
    ) async throws {
        try await entry.reading(logger) {
            for try await data in SSEData(reply.body) { try await take(try ChatCompletionChunk(json: try JSONValue.event(data))) }
        }
    }
}

extension CatalogueEntry {
    /// Reads a reply of its backend. Throws the backend's own error; what breaks is the worker's death.
    func reading<Result>(_ logger: Logger, _ read: () async throws -> Result) async throws -> Result {
        do {
            return try await read()
        } catch let error as APIError {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            logger.error("backend broke during a reply", metadata: ["model": .string(id), "error": "\(error)"])
            throw WorkerBackend.workerDied(id)
        }
    }
}

extension JSONValue {
    /// An event of a backend's stream. Throws the error that it tells.
    static func event(_ data: String) throws -> JSONValue {
        let json = try JSONValue.parse(data)
        if let error = json["error"], !error.isNull { throw APIError(json, status: error["code"]?.intValue ?? 500, retryAfter: nil) }
        return json
    }
}

extension UpstreamResponse {
    /// The same where its status is 200. Throws the error that it is otherwise.
    func orError() async throws -> UpstreamResponse {
        guard status != 200 else { return self }
        let retryAfter = header("retry-after").flatMap { Int($0) }
        throw APIError(try? JSONValue.parse(try await text(upTo: 1 << 16)), status: status, retryAfter: retryAfter)
    }
}

extension APIError {
    /// An error that a backend answers with.
    init(_ json: JSONValue?, status: Int, retryAfter: Int?) {
        let error = json?["error"]
        let type = error?["type"]?.stringValue
        let code = Code.all.first { $0.status == status && $0.type == type } ?? Code.all.first { $0.status == status } ?? .internalError
        self.init(
            code, error?["message"]?.stringValue ?? "The model's server answered with status \(status).",
            param: error?["param"]?.stringValue,
            retryAfter: retryAfter)
    }
}
