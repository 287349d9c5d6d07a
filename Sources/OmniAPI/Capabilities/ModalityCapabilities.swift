/// What a language model or an embedding model can do.
public struct TextCapabilities: WireObject, Equatable {
    /// Longest prompt and answer together, tokens.
    public var maxModelLength: Int?
    /// Memory that a token of a running request holds.
    public var bytesPerToken: Int?
    /// Tokens of all running requests together.
    public var cacheTokens: Int?
    /// How tokens are chosen where a request does not say.
    public var defaultSampling: GenerationConfig?
    public var description: String?
    /// Numbers of a vector, of a model for embeddings.
    public var dimensions: Int?
    /// Names of a classifier's classes.
    public var labels: [String]?
    /// Voices of a model that speaks its answers, the default first.
    public var voices: [String]?

    public init() {}

    public static var fields: [Field<TextCapabilities>] {
        [
            .optional("max_model_len", \.maxModelLength, .integer(1 ... .max), "Longest prompt and answer together, tokens."),
            .optional(
                "kv_bytes_per_token", \.bytesPerToken, .integer(0 ... .max),
                "The memory price: bytes that a token of a running request holds."),
            .optional("kv_cache_tokens", \.cacheTokens, .integer(0 ... .max), "Tokens of all running requests together."),
            .optional(
                "default_sampling", \.defaultSampling, .object(),
                "What holds where a request says nothing; what is absent here is as in vLLM."),
            .optional("description", \.description, .string),
            .optional("dimensions", \.dimensions, .integer(1 ... .max), "Numbers of a vector, of a model for embeddings."),
            .optional("labels", \.labels, .list(of: .string), "Names of a classifier's classes."),
            .optional("voices", \.voices, .list(of: .string), "Voices of a model that speaks its answers, the default first."),
        ]
    }
}

/// What an image model can do.
public struct ImageCapabilities: WireObject, Equatable {
    public var defaultSize = ""
    public var multiple = 1
    public var maxPixels = 0
    public var maxInputBytes = 0
    public var maxInputPixels = 0
    public var maxInputImages = 1
    public var steps = ParameterRange()
    public var guidanceScale = ParameterRange()
    public var strength = ParameterRange()
    public var count = ParameterRange()
    public var previews = ParameterRange()
    public var formats: [String] = []
    public var edits = true
    public var masks = true
    public var adapters: [String] = []
    public var prices: [MemoryPrice] = []

    public init() {}

    public static var fields: [Field<ImageCapabilities>] {
        [
            .sent("default_size", \.defaultSize, .string, "WIDTHxHEIGHT."),
            .sent(
                "size_multiple", \.multiple, .integer(1 ... .max),
                "The model draws sides of this multiple; other sizes are cropped from the next larger."),
            .sent("max_pixels", \.maxPixels, .integer(1 ... .max), "Most pixels of a picture to be drawn."),
            .sent("max_input_bytes", \.maxInputBytes, .integer(1 ... .max)),
            .sent("max_input_pixels", \.maxInputPixels, .integer(1 ... .max)),
            .sent(
                "max_input_images", \.maxInputImages, .integer(1 ... .max),
                "Most pictures of an edit: above 1 the model looks at all."),
            .sent("num_inference_steps", \.steps, .object()), .sent("guidance_scale", \.guidanceScale, .object()),
            .sent("strength", \.strength, .object()), .sent("n", \.count, .object()), .sent("partial_images", \.previews, .object()),
            .sent("output_formats", \.formats, .list(of: .string)), .sent("edits", \.edits, .bool), .sent("masks", \.masks, .bool),
            .sent("loras", \.adapters, .list(of: .string), "Adapters: those that every request has, and those that it may name."),
            .sent("memory", \.prices, .list(of: .object()), "What a picture takes: of the default size, and of the size asked for."),
        ]
    }
}

/// What a video model can do.
public struct VideoCapabilities: WireObject, Equatable {
    public var defaultSize = ""
    public var multiple = 1
    public var defaultFrames = 1
    public var frameMultiple = 1
    public var fps = 1.0
    public var steps = ParameterRange()
    public var guidanceScale = ParameterRange()
    public var startsFromPicture = false
    public var needsPicture = false
    public var maxSide: Int?
    public var maxFrames: Int?
    public var formats: [String] = []
    public var adapters: [String] = []
    public var prices: [MemoryPrice] = []

    public init() {}

    public static var fields: [Field<VideoCapabilities>] {
        [
            .sent("default_size", \.defaultSize, .string, "WIDTHxHEIGHT."), .sent("size_multiple", \.multiple, .integer(1 ... .max)),
            .sent("default_frames", \.defaultFrames, .integer(1 ... .max)),
            .sent("frame_multiple", \.frameMultiple, .integer(1 ... .max), "A clip has 1 + k times this many frames."),
            .sent("default_fps", \.fps, .number()), .sent("num_inference_steps", \.steps, .object()),
            .sent("guidance_scale", \.guidanceScale, .object()),
            .sent("starts_from_picture", \.startsFromPicture, .bool), .sent("needs_picture", \.needsPicture, .bool),
            .optional("max_side", \.maxSide, .integer(1 ... .max), "Longest side, pixels."),
            .optional("max_frames", \.maxFrames, .integer(1 ... .max), "Most frames of a clip."),
            .sent("output_formats", \.formats, .list(of: .string)),
            .sent("loras", \.adapters, .list(of: .string), "Adapters: those that every request has, and those that it may name."),
            .sent("memory", \.prices, .list(of: .object()), "What a clip takes: of the default size and length, and of those asked for."),
        ]
    }
}

/// What a speech model can do.
public struct SpeechCapabilities: WireObject, Equatable {
    public struct Voice: WireObject, Equatable {
        public var name = ""
        /// BCP 47 where known.
        public var language: String?

        public init() {}
        public init(name: String, language: String?) { (self.name, self.language) = (name, language) }

        public static var schemaName: String { "SpeechCapabilitiesVoice" }
        public static var fields: [Field<Voice>] {
            [.sent("name", \.name, .string), .optional("language", \.language, .string, "BCP 47 where known.")]
        }
    }

    public var voices: [Voice] = []
    public var sampleRate = 0
    public var sampleRates = ParameterRange()
    public var speed = ParameterRange()
    public var formats: [String] = []
    public var clonesVoices = false
    public var cloningNeedsText = false
    public var honoursSeed = false
    public var honoursInstructions = false
    /// Seconds of a sample to imitate.
    public var sampleSeconds = ParameterRange()
    public var maxSampleBytes = 0
    public var maxInputCharacters: Int?

    public init() {}

    public static var fields: [Field<SpeechCapabilities>] {
        [
            .sent("voices", \.voices, .list(of: .object()), "The model's own; the first is its default."),
            .sent("sample_rate", \.sampleRate, .integer(1 ... .max), "Hz of the model itself."),
            .sent("sample_rates", \.sampleRates, .object(), "Hz that requests may ask for."), .sent("speed", \.speed, .object()),
            .sent("output_formats", \.formats, .list(of: .string)),
            .sent("clones_voices", \.clonesVoices, .bool, "It speaks with the voice of a sample."),
            .sent("cloning_needs_text", \.cloningNeedsText, .bool), .sent("honours_seed", \.honoursSeed, .bool),
            .sent("honours_instructions", \.honoursInstructions, .bool),
            .sent("voice_sample_seconds", \.sampleSeconds, .object()),
            .sent("max_voice_sample_bytes", \.maxSampleBytes, .integer(1 ... .max)),
            .optional("max_input_characters", \.maxInputCharacters, .integer(1 ... .max), "Longest text of a request, Unicode scalars."),
        ]
    }
}
