/// The reply of `GET /v1/models`.
public struct ModelList: WireObject, Equatable {
    public var object = "list"
    public var data: [ModelObject] = []

    public init() {}
    public static var fields: [Field<ModelList>] { [.sent("object", \.object, .string), .sent("data", \.data, .list(of: .object()))] }
}

/// One served model.
public struct ModelObject: WireObject, Equatable {
    public var id = ""
    public var object = "model"
    /// Seconds since 1970.
    public var created = 0
    public var ownedBy = ""
    /// Where the model stands on the server's disk.
    public var root: String?
    public var parent: String?
    /// Tokens that a language model can hold.
    public var maxModelLength: Int?
    /// `text`, `embedding`, `image`, `speech`, `video`, or `remote` for one served elsewhere; nil from other servers.
    public var kind: String?
    /// `ready`, `loading`, `failed` or `asleep`; nil from other servers.
    public var state: String?
    /// Kinds of content parts that a chat may bring.
    public var inputParts: [String]?
    /// Why its worker runs on plain kernels, which are slower.
    public var safeMode: String?
    public var permission: [JSONValue]?

    public init() {}

    public static var fields: [Field<ModelObject>] {
        [
            .sent("id", \.id, .string), .sent("object", \.object, .string), .sent("created", \.created, .integer()),
            .sent("owned_by", \.ownedBy, .string),
            .always("root", \.root, .string), .always("parent", \.parent, .string), .always("max_model_len", \.maxModelLength, .integer()),
            .always("kind", \.kind, .string, "text, embedding, classifier, image, speech, transcription, video, or remote."),
            .always("state", \.state, .string, "ready, loading, failed or asleep."),
            .always("input_parts", \.inputParts, .list(of: .string)),
            .optional(
                "safe_mode", \.safeMode, .string, "Why its worker runs on plain kernels, which are slower; absent where it does not."),
            .optional("permission", \.permission, .list(of: .any)),
        ]
    }
}
