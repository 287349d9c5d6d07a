/// The reply of `GET /health`, with 200 or 503.
public struct HealthReply: WireObject, Equatable {
    /// `healthy`, `loading`, `draining` or `unhealthy`; of `/health/live` always `alive`.
    public var status = ""
    /// The state of each model: `ready`, `loading`, `failed` or `asleep`.
    public var models: [String: String]?
    /// Why models failed.
    public var faults: [String: String]?
    /// Why workers run on plain kernels.
    public var safeMode: [String: String]?
    public var reason: String?

    public init() {}

    public static var fields: [Field<HealthReply>] {
        [
            .sent("status", \.status, .string, "healthy or unhealthy."), .optional("models", \.models, .dictionary(of: .string)),
            .optional("faults", \.faults, .dictionary(of: .string), "Why models failed."),
            .optional("safe_mode", \.safeMode, .dictionary(of: .string), "Why workers run on plain kernels, which are slower."),
            .optional("reason", \.reason, .string),
        ]
    }

    public var isHealthy: Bool { status == "healthy" }
}

/// The reply of `GET /health/ready`, with 200 or 503.
public struct ReadinessReply: WireObject, Equatable {
    /// `healthy`, `loading`, `draining` or `unhealthy`.
    public var status = ""
    public var models: [String: String] = [:]
    /// Why models failed.
    public var faults: [String: String]?
    /// Why workers run on plain kernels.
    public var safeMode: [String: String]?
    public var isReady = false
    /// Of loading.
    public var progress = 0

    public init() {}

    public static var fields: [Field<ReadinessReply>] {
        [
            .sent("status", \.status, .string, "healthy, loading, draining or unhealthy."),
            .sent("models", \.models, .dictionary(of: .string)),
            .optional("faults", \.faults, .dictionary(of: .string), "Why models failed."),
            .optional("safe_mode", \.safeMode, .dictionary(of: .string), "Why workers run on plain kernels, which are slower."),
            .sent("ready", \.isReady, .bool),
            .sent("progress_percent", \.progress, .integer(0...100), "Of loading."),
        ]
    }
}

/// The reply of `GET /version`.
public struct VersionReply: WireObject, Equatable {
    public var version = ""

    public init() {}
    public static var fields: [Field<VersionReply>] { [.sent("version", \.version, .string)] }
}

/// The reply of `GET /load`.
public struct LoadReply: WireObject, Equatable {
    /// Requests under way.
    public var serverLoad = 0

    public init() {}
    public static var fields: [Field<LoadReply>] { [.sent("server_load", \.serverLoad, .integer(0 ... .max))] }
}
