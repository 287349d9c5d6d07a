import OmniAPI

extension OmniClient {
    /// `/v1/realtime`: spoken conversations.
    public var realtime: Realtime { Realtime(transport: transport) }

    public struct Realtime: Sendable {
        let transport: Transport

        /// Opens a session, and closes it when `body` returns or throws, or its task is cancelled.
        ///
        /// ```swift
        /// try await client.realtime.session { session in
        ///     try await session.say("Good morning.")
        ///     for try await event in session.events where event.type == "response.done" { break }
        /// }
        /// ```
        ///
        /// - Parameter model: a chat model or a pipeline; nil takes the default one.
        /// - Throws: ``OmniError``: `unreachable`, `refused` with the status, or `interrupted`.
        public func session<Result: Sendable>(
            model: String? = nil, _ body: @Sendable (RealtimeSocket) async throws -> Result
        ) async throws -> Result {
            try await RealtimeSocket.open(transport.configuration, model: model, body)
        }

        /// A key with which one client, such as a browser, may open sessions for a short time.
        public func createSecret(
            _ request: RealtimeSecretRequest = RealtimeSecretRequest(), _ options: CallOptions = CallOptions()
        ) async throws -> RealtimeSecretReply {
            try await transport.json(.post("/v1/realtime/client_secrets", request, options))
        }
    }
}
