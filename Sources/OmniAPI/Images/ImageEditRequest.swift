/// `POST /v1/images/edits`, all but its pictures: the text fields of the form.
public struct ImageEditRequest: StreamedDrawingRequest {
    public var prompt = ""
    public var model: String?
    public var n = 1
    /// Nil is the size of the first input picture.
    public var size: ImageSize?
    /// Pixels a side of the square whose area the picture shall have, in the input's proportions.
    public var resolution: Int?
    public var responseFormat = ImageResponseFormat.base64
    public var output = ImageOutput()
    public var stream = false
    public var partialImages = 0
    public var returnStageMetrics = false
    /// How far to leave the input, 0…1.
    public var strength: Double?
    public var drawing = DrawingParameters()

    public init() {}

    /// Form fields that hold pictures, as files or as URLs.
    public static let pictureNames: Set<String> = ["image", "image[]", "url", "url[]", "mask", "mask[]", "mask_image", "reference_image"]

    public static let unusedNames = [
        "user", "background", "guidance_scale_2", "generator_device", "bot_task", "sys_type", "system_prompt", "layers",
    ]

    public static var fields: [Field<ImageEditRequest>] {
        [
            .required("prompt", \.prompt, .string, "What to change."),
            .optional("model", \.model, .string, "A served model's name; may be absent."),
            .with(default: 1, "n", \.n, .integer(1...10), "Pictures, all from one seed."),
            .with(default: nil, "size", \.size, .imageSizeOrAuto, "`auto` is the size of the first input picture."),
            .optional(
                "resolution", \.resolution, .integer().checked { [640, 1024].contains($0) ? nil : "must be 640 or 1024, not \($0)." }),
            .with(
                default: .base64, "response_format", \.responseFormat,
                WireType<ImageResponseFormat>.choice.checked { $0 == .file ? "must be b64_json or url, not file." : nil },
                "Base64 in JSON, or a link in JSON that holds for an hour."),
            .with(default: .png, "output_format", \.output.format, .imageOutputFormat),
            .with(default: nil, "output_compression", \.output.compression, WireType<Int>.integer(0...100).given()),
            .with(default: false, "stream", \.stream, .bool, "Server-sent events: image_edit.partial_image and .completed."),
            .with(default: 0, "partial_images", \.partialImages, .countOrNull, "Previews on the way of a stream."),
            .with(default: false, "return_stage_metrics", \.returnStageMetrics, .bool),
            .optional("strength", \.strength, .number(0...1), "How far to leave the input; 1 with a mask and the model's default without."),
            .unused("user", .string), .unused("background", .string), .unused("guidance_scale_2", .number()),
            .unused("generator_device", .string),
            .unused("bot_task", .string), .unused("sys_type", .string), .unused("system_prompt", .string),
            .unused("layers", .integer(2...10)),
        ]
            + drawingFields(
                \.drawing, guidance: 0...1000, lora: WireType<[LoRAReference]>.adapters.fromText(),
                extra: WireType<JSONObject>.openObject.fromText())
    }

    public func validate(at path: WirePath) throws {
        if size != nil, resolution != nil {
            throw APIError.field(path.appending("resolution"), "cannot be given together with an explicit `size`.")
        }
    }
}
