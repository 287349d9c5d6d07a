/// `POST /v1/images/generations`: OpenAI's fields and vLLM-Omni's additions.
public struct ImageGenerationRequest: StreamedDrawingRequest {
    public var prompt = ""
    public var model: String?
    public var n = 1
    /// Nil is the model's own size.
    public var size: ImageSize?
    public var responseFormat = ImageResponseFormat.base64
    public var output = ImageOutput()
    public var stream = false
    public var partialImages = 0
    public var returnStageMetrics = false
    public var drawing = DrawingParameters()

    public init() {}

    private enum SystemPrompt: String, CaseIterable, Sendable {
        case dynamic, vanilla = "en_vanilla", recaption = "en_recaption", think = "en_think_recaption", unified = "en_unified", custom
    }

    public static let unusedNames = [
        "user", "system_prompt", "bot_task", "use_system_prompt", "flow_shift", "generator_device", "layers", "vae_use_slicing",
        "vae_use_tiling",
    ]

    public static var fields: [Field<ImageGenerationRequest>] {
        [
            .required("prompt", \.prompt, .string, "What to draw; may be empty."),
            .optional("model", \.model, .string, "A served model's name; may be absent."),
            .with(default: 1, "n", \.n, .integer(1...10), "Pictures, all from one seed."),
            .with(default: nil, "size", \.size, .imageSizeOrAuto, "The model's own size when absent or `auto`."),
            .with(
                default: .base64, "response_format", \.responseFormat, .choice,
                "Base64 in JSON, a link in JSON that holds for an hour, or the file itself (a zip of several)."),
            .with(default: .png, "output_format", \.output.format, .imageOutputFormat),
            .with(
                default: nil, "output_compression", \.output.compression, WireType<Int>.integer(0...100).given(),
                "Quality of jpeg and webp; for png 100 does not compress."),
            .with(default: false, "stream", \.stream, .switchOrNull, "Server-sent events: image_generation.partial_image and .completed."),
            .with(default: 0, "partial_images", \.partialImages, .countOrNull, "Previews on the way of a stream."),
            .with(default: false, "return_stage_metrics", \.returnStageMetrics, .switchOrNull),
            .unused("user", .string), .unused("system_prompt", .string), .unused("bot_task", .string),
            .unused("use_system_prompt", WireType<SystemPrompt>.choice), .unused("flow_shift", .number()),
            .unused("generator_device", .string),
            .unused("layers", .integer(2...10)), .unused("vae_use_slicing", .bool), .unused("vae_use_tiling", .bool),
        ] + drawingFields(\.drawing, guidance: 0...20, lora: .adapters, extra: .openObject)
    }
}

extension WireType where Value == Bool {
    /// A switch for which null is off.
    static var switchOrNull: WireType {
        let type = WireType<Bool>.bool
        return WireType(decode: { $0.isNull ? false : try type.decode($0, $1) }, encode: type.encode, schema: type.schema)
    }
}

extension WireType where Value == Int {
    /// Previews: 0 to 3, null is none.
    static var countOrNull: WireType {
        let type = WireType<Int>.integer(0...3)
        return WireType(decode: { $0.isNull ? 0 : try type.decode($0, $1) }, encode: type.encode, schema: type.schema)
    }
}
