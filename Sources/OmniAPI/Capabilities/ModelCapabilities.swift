/// One entry of `GET /v1/capabilities`: what a served model can do, and within which limits.
public struct ModelCapabilities: WireObject, Equatable {
    public var id = ""
    /// Other names that reach it.
    public var aliases: [String] = []
    /// `text`, `embedding`, `classifier`, `image`, `video`, `speech`, `transcription`; `remote` for a server elsewhere.
    public var kind = "remote"
    /// `ready`, `loading`, `asleep` or `failed`. Only a model that is ready tells more than its kind.
    public var state = "ready"
    /// Answers requests of its kind that name no model.
    public var isDefault = false
    /// What requests may bring: `text`, `image`, `audio`, `video`.
    public var inputModalities: [String] = []
    public var outputModalities: [String] = []
    /// The paths that lead to it.
    public var endpoints: [String] = []
    /// Bytes of a request's body.
    public var maxBodyBytes: Int?
    public var memory: ModelMemory?
    public var text: TextCapabilities?
    public var image: ImageCapabilities?
    public var video: VideoCapabilities?
    public var speech: SpeechCapabilities?
    public var transcription: TranscriptionCapabilities?

    public init() {}

    public static var fields: [Field<ModelCapabilities>] {
        [
            .sent("id", \.id, .string), .sent("aliases", \.aliases, .list(of: .string), "Other names that reach it."),
            .sent(
                "kind", \.kind, .string, "text, embedding, classifier, image, video, speech, transcription; remote: a server elsewhere."),
            .sent("state", \.state, .string, "ready, loading, asleep or failed; only a ready model tells its sections."),
            .sent("default", \.isDefault, .bool, "Answers requests of its kind that name no model."),
            .sent("input_modalities", \.inputModalities, .list(of: .string), "What requests may bring: text, image, audio, video."),
            .sent("output_modalities", \.outputModalities, .list(of: .string)),
            .sent("endpoints", \.endpoints, .list(of: .string), "The paths that lead to it."),
            .optional("max_body_bytes", \.maxBodyBytes, .integer(0 ... .max), "Bytes of a request's body."),
            .optional("memory", \.memory, .object(), "What the model has set aside, and what is in memory of it."),
            .optional("text", \.text, .object()), .optional("image", \.image, .object()), .optional("video", \.video, .object()),
            .optional("speech", \.speech, .object()), .optional("transcription", \.transcription, .object()),
        ]
    }
}

/// The reply to `GET /v1/capabilities`.
public struct CapabilityList: WireObject, Equatable {
    public var object = "list"
    public var data: [ModelCapabilities] = []

    public init() {}

    public static var fields: [Field<CapabilityList>] {
        [.sent("object", \.object, .string), .sent("data", \.data, .list(of: .object()), "In the order of /v1/models.")]
    }
}

/// The values that a parameter may have, and the one that stands for nothing given.
public struct ParameterRange: WireObject, Equatable {
    public var minimum = 0.0
    public var maximum = 0.0
    public var standard: Double?

    public init() {}

    public init(_ range: ClosedRange<Double>, default standard: Double? = nil) {
        (minimum, maximum, self.standard) = (range.lowerBound, range.upperBound, standard)
    }

    public init(_ range: ClosedRange<Int>, default standard: Int? = nil) {
        self.init(Double(range.lowerBound)...Double(range.upperBound), default: standard.map { Double($0) })
    }

    public static var fields: [Field<ParameterRange>] {
        [
            .sent("minimum", \.minimum, .number()), .sent("maximum", \.maximum, .number()),
            .optional("default", \.standard, .number(), "Absent where the request or the model decides."),
        ]
    }
}

/// What a request takes, bytes beyond what the loaded model holds.
public struct MemoryPrice: WireObject, Equatable {
    /// `WIDTHxHEIGHT`.
    public var size = ""
    /// Of a video.
    public var frames: Int?
    public var bytes = 0
    /// Bytes that the machine can still give.
    public var availableBytes: Int?
    /// The largest square that fits into them and that a request may ask for, pixels a side.
    public var largestSide: Int?

    public init() {}

    public static var fields: [Field<MemoryPrice>] {
        [
            .sent("size", \.size, .string, "WIDTHxHEIGHT."), .optional("frames", \.frames, .integer(1 ... .max)),
            .sent("bytes", \.bytes, .integer(0 ... .max), "Beyond what the loaded model holds."),
            .optional("available_bytes", \.availableBytes, .integer(0 ... .max), "What the machine can still give."),
            .optional(
                "largest_side", \.largestSide, .integer(1 ... .max),
                "The largest square that fits and that a request may ask for, pixels a side."),
        ]
    }
}
