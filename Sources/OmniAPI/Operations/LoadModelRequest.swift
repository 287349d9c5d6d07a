/// `POST /v1/omni/load`.
public struct LoadModelRequest: WireObject {
    public var model = ""
    public var stream = false
    public var keepAlive: KeepAlive?

    public init() {}

    public static var fields: [Field<LoadModelRequest>] {
        [
            .required("model", \.model, .string, "The model's name."),
            .with(default: false, "stream", \.stream, .bool, "Tell how far it is, as events."),
            .optional(
                "keep_alive", \.keepAlive, .keepAlive, "How long it stays loaded after its last request: seconds, or 5m; -1 for ever."),
        ]
    }
}

/// `POST /v1/omni/unload`.
public struct UnloadModelRequest: WireObject {
    public var model = ""

    public init() {}
    public static var fields: [Field<UnloadModelRequest>] { [.required("model", \.model, .string, "The model's name.")] }
}

/// How a model is: the reply of `/v1/omni/load` and `/v1/omni/unload`, and an event of a streamed load.
public struct ModelLoad: WireObject, Equatable {
    public var model = ""
    /// `asleep`, `loading`, `ready` or `failed`.
    public var state = ""
    /// Of loading, 0 to 1.
    public var progress: Double?
    /// What it has set aside.
    public var memoryBytes: Int?

    public init() {}

    public static var fields: [Field<ModelLoad>] {
        [
            .sent("model", \.model, .string),
            .sent("state", \.state, .string, "asleep (also while it waits for room), loading, ready or failed."),
            .optional("progress", \.progress, .number(0...1)), .optional("memory_bytes", \.memoryBytes, .integer(0 ... .max)),
        ]
    }
}
