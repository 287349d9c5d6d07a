/// `POST /v1/videos`, `/v1/videos/sync` and `/v1/videos/generations`, all but the files of a form.
public struct VideoGenerationRequest: WireObject, Equatable {
    public var prompt = ""
    public var model: String?
    /// Whole seconds of the clip; counts where `frames` is absent.
    public var seconds: Int?
    /// Wins over `width` and `height`.
    public var size: ImageSize?
    public var width: Int?
    public var height: Int?
    /// Frames of the clip.
    public var frames: Int?
    /// Frames a second.
    public var fps: Double?
    public var steps: Int?
    public var guidanceScale: Double?
    /// The same for the second expert, of models that have two.
    public var guidanceScale2: Double?
    /// The weight of the prompt for models that call it so; counts where `guidanceScale` is absent.
    public var trueGuidanceScale: Double?
    public var boundaryRatio: Double?
    public var flowShift: Double?
    public var seed: Int?
    public var quality: VideoQuality?
    /// Clips asked for; one is made.
    public var count = 1
    public var negativePrompt: String?
    public var user: String?
    /// Adapters, which are added together.
    public var loras: [LoRAReference] = []
    public var extraParameters: JSONObject?
    /// OpenAI's name for the picture to start from, when it is not a file.
    public var inputReference: MediaReference?
    /// Pictures, of which the first is the clip's first frame.
    public var imageReferences: [MediaReference]?
    public var videoReferences: [MediaReference]?
    public var audioReferences: [MediaReference]?
    public var controlType: String?
    public var returnStageMetrics = false
    /// Told once the job is over.
    public var webhookURL: String?

    public init() {}

    public static var schemaName: String { "CreateVideoRequest" }

    /// Form fields that hold files.
    public static let fileNames: Set<String> = [
        "input_reference", "input_references", "control_reference", "source_video", "source_audio", "video_noise_mask", "audio_noise_mask",
    ]

    /// Fields that are taken and checked and have no effect.
    public static let unusedNames = [
        "user", "aspect_ratio", "short_edge", "start_time_seconds", "generate_sound", "sound_duration", "enable_frame_interpolation",
        "frame_interpolation_exp", "frame_interpolation_scale", "frame_interpolation_model_path",
    ]

    public var guidance: Double? { guidanceScale ?? trueGuidanceScale }

    /// The asked size, if any: `size`, else `width` and `height` when both are given.
    public var askedSize: ImageSize? {
        if let size { return size }
        guard let width, let height else { return nil }
        return ImageSize(width: width, height: height)
    }

    /// Where the picture to start from is, when it is not a file of the form.
    public var pictureReference: MediaReference? { inputReference ?? imageReferences?.first }

    /// Made once: each row of a list is read with it.
    public static let fields: [Field<VideoGenerationRequest>] = videoPrompt + videoOptions + references + unused

    private static var videoPrompt: [Field<VideoGenerationRequest>] {
        let side = WireType<Int>.modelInteger(1...ImageSize.longestSide)
        return [
            .required("prompt", \.prompt, .string, "Prompt."),
            .optional("model", \.model, .string, "A served model's name; may be absent."),
            .optional("seconds", \.seconds, .wholeSeconds, "Length of the clip, as text of whole seconds; num_frames wins over it."),
            .optional("size", \.size, .videoSize, "WIDTHxHEIGHT in pixels; wins over width and height."),
            .optional("width", \.width, side, "Pixels."), .optional("height", \.height, side, "Pixels."),
            .optional("num_frames", \.frames, .modelInteger(1...Int(Int32.max)), "Frames of the clip."),
            .optional("fps", \.fps, .number(1...240), "Frames a second."),
            .optional(
                "quality", \.quality, .modelChoice,
                "How the clip is coded: near to what the model made, or without any loss, in RGB, which most browsers don't play."),
            .with(default: 1, "num_outputs_per_prompt", \.count, .integer(1...10), "Taken for the peer's sake: one clip is made."),
            .with(default: false, "return_stage_metrics", \.returnStageMetrics, .bool, "Tell the seconds of a step in `metrics`."),
            .optional("webhook_url", \.webhookURL, .httpURL, "An address that is sent a signed message when the job is over."),
        ]
    }

    private static var videoOptions: [Field<VideoGenerationRequest>] {
        let guidance = WireType<Double>.modelNumber(0...20)
        return [
            .optional("negative_prompt", \.negativePrompt, .string, "What the clip must not show; works with guidance only."),
            .optional("num_inference_steps", \.steps, .modelInteger(1...200), "Denoising steps; the model's default when absent."),
            .optional(
                "guidance_scale", \.guidanceScale, guidance, "Weight of the prompt; 1 or less does without guidance, at half the cost."),
            .optional("guidance_scale_2", \.guidanceScale2, guidance, "The same for the second expert, of models that have two."),
            .optional("true_cfg_scale", \.trueGuidanceScale, guidance, "As guidance_scale, which wins."),
            .optional(
                "boundary_ratio", \.boundaryRatio, .modelNumber(0...1),
                "Share of the noise levels below which the second expert takes over."),
            .optional("flow_shift", \.flowShift, .number(), "Shift of the noise schedule."),
            .optional("seed", \.seed, .integer(), "The same seed gives the same clip."),
            .with(
                default: [], "lora", \.loras, WireType<[LoRAReference]>.adapters.fromText(),
                "A low-rank adapter on the server's disk, or a list of them."),
            .optional("extra_params", \.extraParameters, WireType<JSONObject>.openObject.fromText(), "Further parameters of the model."),
        ]
    }

    private static var references: [Field<VideoGenerationRequest>] {
        [
            .optional(
                "input_reference", \.inputReference, .mediaReference("image_url"),
                "The picture to start from: in a form a file or this object."),
            .optional("image_reference", \.imageReferences, .mediaReferences("image_url"), "Pictures by address, the first frame first."),
            .optional("video_reference", \.videoReferences, .mediaReferences("video_url")),
            .optional("audio_reference", \.audioReferences, .mediaReferences("audio_url")),
            .optional("control_type", \.controlType, .string, "What control_reference holds."),
        ]
    }

    private static var unused: [Field<VideoGenerationRequest>] {
        [
            .unused("user", .string), .unused("aspect_ratio", .string), .unused("short_edge", .integer(1...Int.max)),
            .unused("start_time_seconds", .number(0 ... .greatestFiniteMagnitude)), .unused("generate_sound", .bool),
            .unused("sound_duration", .number(above: 0)),
            .unused("enable_frame_interpolation", .bool), .unused("frame_interpolation_exp", .integer(1...Int.max)),
            .unused("frame_interpolation_scale", .number(above: 0)), .unused("frame_interpolation_model_path", .string),
        ]
    }

    public func validate(at path: WirePath) throws {
        if inputReference != nil, imageReferences != nil || videoReferences != nil {
            throw APIError.field(path.appending("input_reference"), "excludes image_reference and video_reference.")
        }
    }
}

/// How a clip is coded.
public enum VideoQuality: String, CaseIterable, Sendable {
    case lossless, high
}
