import OmniAPI

extension OmniClient {
    /// `/v1/models`.
    public var models: Models { Models(transport: transport) }
    /// Health, metrics, sleep: what concerns the server itself.
    public var server: ServerOperations { ServerOperations(transport: transport) }

    public struct Models: Sendable {
        let transport: Transport

        public func list(_ options: CallOptions = CallOptions()) async throws -> [ModelObject] {
            try await transport.json(.get("/v1/models", options), as: ModelList.self).data
        }

        public func retrieve(_ id: String, _ options: CallOptions = CallOptions()) async throws -> ModelObject {
            try await transport.json(.get("/v1/models/\(Call.escape(id))", options))
        }
    }

    public struct ServerOperations: Sendable {
        let transport: Transport

        /// What the server says of its health, also when it says that it is not well. One try: an answer is what is asked for.
        public func health(timeout: Duration = .seconds(5)) async throws -> HealthReply {
            var transport = Transport(transport.configuration.withoutRetries)
            transport.pause = self.transport.pause
            do {
                let reply = try await transport.send(.get("/health", CallOptions(timeout: timeout)))
                let body = try await reply.collect(upTo: 1 << 20)
                // vLLM's answer has no body.
                return body.isEmpty ? HealthReply(status: "healthy") : try reply.decode(body)
            } catch let error as OmniError where error.status == 503 {
                guard let body = error.body, body["status"] != nil else { return HealthReply(status: "unhealthy") }
                return try HealthReply(json: body)
            }
        }

        public func version(_ options: CallOptions = CallOptions()) async throws -> String {
            try await transport.json(.get("/version", options), as: VersionReply.self).version
        }

        /// Prometheus metrics, as text.
        public func metrics(_ options: CallOptions = CallOptions()) async throws -> String {
            String(decoding: try await transport.send(.get("/metrics", options)).collect(upTo: 64 << 20), as: UTF8.self)
        }

        /// What each served model can do: sizes, step ranges, voices, formats, limits.
        public func capabilities(_ options: CallOptions = CallOptions()) async throws -> JSONValue {
            try JSONValue.parse(try await transport.send(.get("/v1/capabilities", options)).collect(upTo: 64 << 20))
        }

        /// Frees all memory of a model; the next request for it wakes it.
        @discardableResult
        public func sleep(model: String, _ options: CallOptions = CallOptions()) async throws -> SleepReply {
            try await transport.json(.post("/v1/omni/sleep", SleepRequest(model: model), options))
        }

        /// Starts a sleeping model and waits until it serves.
        @discardableResult
        public func wakeUp(model: String, _ options: CallOptions = CallOptions()) async throws -> SleepReply {
            try await transport.json(.post("/v1/omni/wakeup", SleepRequest(model: model), options))
        }
    }
}

extension OmniClient.Configuration {
    fileprivate var withoutRetries: Self {
        var copy = self
        copy.retries = .never
        return copy
    }
}

extension HealthReply {
    fileprivate init(status: String) {
        self.init()
        self.status = status
    }
}
