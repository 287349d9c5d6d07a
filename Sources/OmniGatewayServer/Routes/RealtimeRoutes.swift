import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniAccess
import OmniEngine
import OmniGateway
import OmniHTTP
import Synchronization

/// `/v1/realtime` and its keys for browsers.
struct RealtimeRoutes: RouteGroup {
    let catalogue: Catalogue
    let voices: VoiceResolver
    let pipelines: [SpeechPipeline]
    let service: RealtimeService

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/realtime/client_secrets", Self.secretDoc) { request, context in
            let (asked, ignored) = try context.decode(RealtimeSecretRequest.self, from: try await context.collectJSON(request))
            let settings = RealtimeDialect.current(asked.session ?? JSONObject())
            let path = WirePath.body.appending("session")
            let cascade = try RealtimeCascade(
                catalogue, voices, pipelines, model: settings["model"]?.stringValue, logger: context.requestLogger)
            var named = settings
            named["model"] = nil
            var reply = RealtimeSecretReply()
            reply.session = try cascade.settings.updated(with: named, at: path)
            try await cascade.check(reply.session)
            reply.session.id = RequestID.make("sess_", digits: 24)
            reply.value = try service.secrets.make(settings, seconds: asked.expiry.seconds, owner: KeyLease.current?.key.name)
            reply.expiresAt = Int(Date().timeIntervalSince1970) + asked.expiry.seconds
            return .json(reply.json, ignored: ignored)
        }
    }

    func add(to sockets: inout WebSocketRoutes) {
        let secrets = service.secrets
        sockets.add(
            "/v1/realtime", "A spoken conversation, in OpenAI's realtime events: sound in, sound and text out.",
            protocols: ["realtime"], owner: { secrets.owner(of: $0) }
        ) { socket in
            // What a session computes itself must not hold up the loop that serves others.
            try await withTaskExecutorPreference(globalConcurrentExecutor) { try await serve(socket) }
        }
    }

    private func serve(_ socket: WebSocketSession) async throws {
        do {
            let place = try service.enter()
            defer { service.leave(place) }
            let (cascade, settings) = try await opening(socket)
            let beta = socket.request.header("openai-beta")?.contains("realtime=v1") ?? false
            let isBeta = beta || socket.request.protocols.contains("openai-beta.realtime-v1")
            let connection = RealtimeConnection(
                socket, cascade, settings: settings, dialect: isBeta ? .beta : .current, headStarts: service.headStarts)
            await connection.begin()
            try await connection.run()
        } catch let error as APIError {
            var event = RealtimeEvents.error(error)
            event["event_id"] = .string(RequestID.make("event_", digits: 24))
            try await socket.send(text: JSONValue.object(event).jsonText)
            try await socket.close(code: error.status == 503 ? 1013 : 1008)
        }
    }

    /// The models and settings of a new session: what its key brings, and what its address names.
    private func opening(_ socket: WebSocketSession) async throws -> (RealtimeCascade, RealtimeSession) {
        var defaults = JSONObject()
        if let key = socket.request.key, key.hasPrefix(RealtimeSecrets.prefix) {
            guard let known = service.secrets.settings(of: key) else {
                throw APIError(.unauthorized, "The key is not known, or its time is over.", remedy: "Ask for a new one.")
            }
            defaults = known
        }
        let model = socket.request.query["model"] ?? defaults["model"]?.stringValue
        let cascade = try RealtimeCascade(catalogue, voices, pipelines, model: model, logger: socket.logger)
        defaults["model"] = nil
        if socket.request.query["intent"] == "transcription" { defaults["type"] = "transcription" }
        return (cascade, try cascade.settings.updated(with: defaults, at: .root("session")))
    }

    private static var secretDoc: RouteDoc {
        RouteDoc("A key for one client of /v1/realtime and a short time, so that the server's own key need not leave it.", .speech)
            .takes(RealtimeSecretRequest.self, example: ["expires_after": ["seconds": 60], "session": ["type": "realtime"]])
            .answers(RealtimeSecretReply.self)
            .fails(.reading + [.invalidRequest, .notFound, .unavailable])
    }
}

/// What all realtime sessions of a server share.
final class RealtimeService: Sendable {
    /// Sessions at once.
    static let most = 256

    let secrets = RealtimeSecrets()
    let headStarts = HeadStart.Places()
    private let open = Mutex<Set<String>>([])

    /// Throws 503 when there are as many sessions as there may be.
    func enter() throws -> String {
        let place = RequestID.make()
        try open.withLock { open in
            guard open.count < Self.most else {
                throw APIError(.unavailable, "There are \(Self.most) sessions already.", remedy: "Try again later.", retryAfter: 5)
            }
            open.insert(place)
        }
        return place
    }

    func leave(_ place: String) { open.withLock { _ = $0.remove(place) } }
}
