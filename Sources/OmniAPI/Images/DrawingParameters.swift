/// How a picture is drawn: what all requests for pictures share.
public struct DrawingParameters: Sendable, Equatable {
    public var negativePrompt: String?
    public var steps: Int?
    public var guidanceScale: Double?
    /// The weight of the prompt for models that call it so, where it counts before `guidanceScale`; for others it counts where that is absent.
    public var trueGuidanceScale: Double?
    /// The same seed gives the same pictures; absent, the server draws one.
    public var seed: Int?
    /// Adapters, which are added together.
    public var loras: [LoRAReference] = []
    /// Further parameters of the model, as given.
    public var extraParameters: JSONObject?

    public init() {}

    public var guidance: Double? { guidanceScale ?? trueGuidanceScale }
}

/// Requests for pictures.
public protocol DrawingRequest: WireObject {
    var drawing: DrawingParameters { get set }
    /// Fields that are taken and checked and have no effect.
    static var unusedNames: [String] { get }
    /// Fields that have no effect beside the others of this request.
    var idleNames: [String] { get }
}

extension DrawingRequest {
    public var idleNames: [String] { [] }
}

/// A drawing that can be streamed, with previews.
public protocol StreamedDrawingRequest: DrawingRequest {
    var stream: Bool { get }
    var partialImages: Int { get }
    var responseFormat: ImageResponseFormat { get }
}

extension StreamedDrawingRequest {
    public var idleNames: [String] {
        // Events carry their pictures.
        (partialImages > 0 && !stream ? ["partial_images"] : []) + (stream && responseFormat != .base64 ? ["response_format"] : [])
    }
}

extension DrawingRequest {
    static func drawingFields(
        _ path: WritableKeyPath<Self, DrawingParameters> & Sendable, guidance: ClosedRange<Double>, lora: WireType<[LoRAReference]>,
        extra: WireType<JSONObject>
    ) -> [Field<Self>] {
        [
            .optional("negative_prompt", \.drawing.negativePrompt, .string, "What the picture must not show; works with guidance only."),
            .optional("num_inference_steps", \.drawing.steps, .integer(1...200), "Denoising steps; the model's default when absent."),
            .optional(
                "guidance_scale", \.drawing.guidanceScale, .number(guidance),
                "Weight of the prompt; 0 does without guidance, at half the cost."),
            .optional(
                "true_cfg_scale", \.drawing.trueGuidanceScale, .number(guidance),
                "As guidance_scale; which of both wins is up to the model: the one that its own pipeline has."),
            .optional("seed", \.drawing.seed, .integer(), "The same seed gives the same pictures."),
            .with(default: [], "lora", \.drawing.loras, lora, "A low-rank adapter on the server's disk, or a list of them."),
            .optional(
                "extra_params", \.drawing.extraParameters, extra,
                "Further parameters of the model: metadata, cfg_normalization, cfg_truncation."),
        ]
    }

    /// The model's own parameters, checked; unknown ones are collected in `ignored` as `extra_params.NAME`.
    public func extras(ignored: inout IgnoredFields) throws -> ImageExtras {
        guard let object = drawing.extraParameters else { return ImageExtras() }
        var unknown = IgnoredFields()
        let extras = try ImageExtras(json: .object(object), at: .body.appending("extra_params"), ignored: &unknown)
        ignored.names += unknown.names.map { "extra_params.\($0)" }
        return extras
    }
}

/// What `extra_params` may hold.
public struct ImageExtras: WireObject, Equatable {
    /// Store prompt, seed and steps in PNG files.
    public var metadata = false
    /// Upper bound of the guided prediction's norm, in norms of the prompt's own; 0 sets none.
    public var guidanceNormalization = 0.0
    /// Share of the way, 0…1, after which guidance stops.
    public var guidanceTruncation = 1.0

    public init() {}

    public static var fields: [Field<ImageExtras>] {
        [
            .with(default: false, "metadata", \.metadata, .bool, "Store prompt, seed and steps in PNG files."),
            .with(
                default: 0, "cfg_normalization", \.guidanceNormalization, .switchOrNumber,
                "Bound of the guided prediction's norm; true is 1."),
            .with(default: 1, "cfg_truncation", \.guidanceTruncation, .number(0...1), "Share of the way after which guidance stops."),
        ]
    }
}

extension WireType where Value == Double {
    /// A number from 0 on; `true` is 1 and `false` 0, as the reference's pipeline takes it.
    static var switchOrNumber: WireType {
        let number = WireType<Double>.number(0...1000)
        return WireType(
            decode: { json, path in
                if case .bool(let on) = json { return on ? 1 : 0 }
                return try number.decode(json, path)
            },
            encode: number.encode, schema: number.schema)
    }
}
