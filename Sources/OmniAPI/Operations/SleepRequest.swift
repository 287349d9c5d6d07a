/// `POST /v1/omni/sleep` and `/v1/omni/wakeup`: the peer names stages, ours are models by their place in `/v1/models`;
/// `model` names one instead.
public struct SleepRequest: WireObject {
    public var stageIDs: [Int] = []
    public var model: String?
    public var level = 2

    public init() {}

    public init(model: String) { self.model = model }

    public static var fields: [Field<SleepRequest>] {
        [
            .required("stage_ids", \.stageIDs, .list(of: .integer(0 ... .max)), "Places of models, counted from 0."),
            .optional("model", \.model, .string, "One model by name, in place of stage_ids' choice."),
            .with(default: 2, "level", \.level, .integer(1...2), "Not used: a sleeping model's process has ended."),
        ]
    }
}

/// The reply to ``SleepRequest``.
public struct SleepReply: WireObject, Equatable {
    public struct Acknowledgement: WireObject, Equatable {
        public var taskID = ""
        /// `SUCCESS` or `SKIPPED`.
        public var status = ""
        public var stageID = 0
        public var rank: Int? = 0
        public var freedBytes: Int?
        public var metadata: JSONValue?

        public static var schemaName: String { "SleepAcknowledgement" }
        public init() {}

        public static var fields: [Field<Acknowledgement>] {
            [
                .sent("task_id", \.taskID, .string), .sent("status", \.status, .string), .sent("stage_id", \.stageID, .integer()),
                .always("rank", \.rank, .integer()), .always("freed_bytes", \.freedBytes, .integer()),
                .always("metadata", \.metadata, .any),
            ]
        }
    }

    /// `SUCCESS` or `SKIPPED`.
    public var status = ""
    public var acknowledgements: [Acknowledgement]?
    /// Why nothing was done.
    public var reason: String?

    public init() {}

    public static var fields: [Field<SleepReply>] {
        [
            .sent("status", \.status, .string), .optional("acks", \.acknowledgements, .list(of: .object())),
            .optional("reason", \.reason, .string),
        ]
    }
}
