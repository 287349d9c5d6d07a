/// `POST /v1/realtime/client_secrets`: a key for one client, for a short time.
public struct RealtimeSecretRequest: WireObject, Equatable {
    public struct Expiry: WireObject, Equatable {
        public enum Anchor: String, CaseIterable, Sendable { case createdAt = "created_at" }

        public var anchor = Anchor.createdAt
        public var seconds = 600

        public init() {}
        public static var schemaName: String { "RealtimeSecretExpiry" }
        public static var fields: [Field<Expiry>] {
            [
                .with(default: .createdAt, "anchor", \.anchor, .choice),
                .with(default: 600, "seconds", \.seconds, .integer(10...7200), "From now until the key opens no session any more."),
            ]
        }
    }

    public var expiry = Expiry()
    /// Settings that sessions opened with the key begin with.
    public var session: JSONObject?

    public init() {}

    public static var fields: [Field<RealtimeSecretRequest>] {
        [
            .with(default: Expiry(), "expires_after", \.expiry, .object()),
            .optional("session", \.session, .openObject, "Settings that sessions begin with, as in `session.update`."),
        ]
    }
}

/// The reply of `POST /v1/realtime/client_secrets`.
public struct RealtimeSecretReply: WireObject, Equatable {
    /// Begins with `ek_`.
    public var value = ""
    /// Seconds since 1970.
    public var expiresAt = 0
    public var session = RealtimeSession()

    public init() {}

    public static var fields: [Field<RealtimeSecretReply>] {
        [
            .sent("value", \.value, .string, "The key."), .sent("expires_at", \.expiresAt, .integer(), "Seconds since 1970."),
            .sent("session", \.session, .object()),
        ]
    }
}
