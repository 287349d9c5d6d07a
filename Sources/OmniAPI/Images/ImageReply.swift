import Foundation

/// The reply of `POST /v1/images/generations` and `/v1/images/edits`.
public struct ImageReply: WireObject, Equatable {
    /// Seconds since 1970.
    public var created = 0
    public var data: [ImageDatum] = []
    /// `png`, `jpeg`, `jpg` or `webp`.
    public var outputFormat: String?
    /// `WIDTHxHEIGHT` of the first picture.
    public var size: String?
    public var metrics: ImageMetrics?

    public init() {}

    public static var fields: [Field<ImageReply>] {
        [
            .sent("created", \.created, .integer(), "Seconds since 1970."), .sent("data", \.data, .list(of: .object())),
            .always("output_format", \.outputFormat, .string), .always("size", \.size, .string), .always("metrics", \.metrics, .object()),
        ]
    }
}

/// One picture of an ``ImageReply``.
public struct ImageDatum: WireObject, Equatable {
    /// Base64 of the file.
    public var base64: String?
    /// Where the file is instead, with `response_format: url`.
    public var url: String?
    public var revisedPrompt: String?

    public init() {}

    public static var fields: [Field<ImageDatum>] {
        [
            .always("b64_json", \.base64, .string, "Base64 of the file."), .always("url", \.url, .string),
            .always("revised_prompt", \.revisedPrompt, .string),
        ]
    }

    /// The file's bytes; nil when the reply has a URL only.
    public var bytes: Data? { base64.flatMap { Data(base64Encoded: $0) } }
}

/// What the drawing took.
public struct ImageMetrics: WireObject, Equatable {
    /// Seconds by stage.
    public var stageDurations: [String: Double]?
    /// Most memory that the model's process ever held, MiB.
    public var peakMemory: Double?
    /// More, where `return_stage_metrics` asked for it.
    public var stageMetrics: JSONValue?

    public init() {}

    public static var fields: [Field<ImageMetrics>] {
        [
            .always("stage_durations", \.stageDurations, .dictionary(of: .number()), "Seconds by stage."),
            .always("peak_memory_mb", \.peakMemory, .number()), .optional("stage_metrics", \.stageMetrics, .any),
        ]
    }
}

/// One event of streamed pictures: a preview, or a finished picture.
public struct ImageStreamEvent: WireObject, Equatable {
    /// `image_generation.partial_image`, `image_generation.completed`, `image_edit.partial_image` or `image_edit.completed`.
    public var type = ""
    /// Base64 of the file.
    public var base64 = ""
    /// Seconds since 1970.
    public var createdAt: Int?
    public var size: String?
    public var quality: String?
    public var background: String?
    public var outputFormat: String?
    /// Which picture of the request.
    public var index = 0
    /// Which preview of that picture; previews only.
    public var partialImageIndex: Int?
    public var usage: JSONValue?
    public var metrics: ImageMetrics?

    public init() {}

    public static var fields: [Field<ImageStreamEvent>] {
        [
            .sent("type", \.type, .string), .sent("b64_json", \.base64, .string), .always("created_at", \.createdAt, .integer()),
            .always("size", \.size, .string), .always("quality", \.quality, .string), .always("background", \.background, .string),
            .always("output_format", \.outputFormat, .string), .sent("index", \.index, .integer()),
            .optional("partial_image_index", \.partialImageIndex, .integer()), .optional("usage", \.usage, .any),
            .optional("metrics", \.metrics, .object()),
        ]
    }

    public var isPreview: Bool { type.hasSuffix(".partial_image") }
    /// The file's bytes.
    public var bytes: Data { Data(base64Encoded: base64) ?? Data() }
}
