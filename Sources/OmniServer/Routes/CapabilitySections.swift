import OmniAPI
import OmniEngine

extension TextCapabilities {
    init(_ card: ModelCard) {
        self.init()
        maxModelLength = card.maxModelLength
        bytesPerToken = card.details["kv_bytes_per_token"]?.intValue
        cacheTokens = card.details["kv_cache_tokens"]?.intValue
        defaultSampling = card.details["default_sampling"].flatMap { try? GenerationConfig(json: $0) }
        description = card.details["description"]?.stringValue
    }
}

extension ImageCapabilities {
    init(_ model: any ImageModel, limits: ImageRequestLimits, size: ImageSize?) async {
        self.init()
        let defaults = model.imageDefaults
        let own = ImageSize(width: defaults.width, height: defaults.height)
        defaultSize = own.description
        multiple = defaults.multiple
        maxPixels = limits.drawnPixels
        (maxInputBytes, maxInputPixels) = (limits.inputBytes, limits.inputPixels)
        steps = ParameterRange(1...200, default: defaults.steps)
        guidanceScale = ParameterRange(0...20, default: defaults.guidanceScale.asWritten)
        strength = ParameterRange(0...1, default: defaults.strength.asWritten)
        count = ParameterRange(1...10, default: 1)
        previews = ParameterRange(0...3, default: 0)
        formats = ImageOutputFormat.allCases.map(\.rawValue)
        for size in [own] + (size.map { [$0] } ?? []) {
            let grid = size.onGrid(defaults.multiple)
            var request = ImageRequest(prompt: "", seed: 0)
            (request.width, request.height) = (grid.width, grid.height)
            // A size that the model cannot draw at any price has none.
            guard let price = try? await model.price(request) else { continue }
            // No request may ask for more, whatever memory allows.
            let largest = price.largestSide.map { min($0, Int(Double(limits.drawnPixels).squareRoot())) }
            prices.append(MemoryPrice(size, bytes: price.bytes, available: price.available, largestSide: largest))
        }
    }
}

extension VideoCapabilities {
    /// All but the prices.
    init(_ defaults: VideoDefaults) {
        self.init()
        defaultSize = ImageSize(width: defaults.width, height: defaults.height).description
        multiple = defaults.multiple
        (defaultFrames, frameMultiple, fps) = (defaults.frames, defaults.frameMultiple, defaults.fps)
        steps = ParameterRange(1...200, default: defaults.steps)
        guidanceScale = ParameterRange(0...20, default: defaults.guidanceScale.asWritten)
        (startsFromPicture, needsPicture) = (defaults.startsFromPicture, defaults.needsPicture)
        maxSide = min(FilmPlan.longestSide, defaults.longestSide ?? .max)
        maxFrames = min(FilmPlan.mostFrames, defaults.mostFrames ?? .max)
        formats = ["mp4"]
    }

    init(_ model: any VideoModel, size: ImageSize?, frames: Int?) async {
        let defaults = model.videoDefaults
        self.init(defaults)
        var asked = [VideoGenerationRequest()]
        if size != nil || frames != nil {
            asked.append(VideoGenerationRequest())
            (asked[1].size, asked[1].frames) = (size, frames)
        }
        for asked in asked {
            // What the model cannot film at any price has none.
            guard let plan = try? FilmPlan(asked, defaults, picture: nil) else { continue }
            guard let price = try? await model.price(VideoRequest(asked, seed: 0, plan, picture: nil, adapters: [])) else { continue }
            let largest = price.largestSide.map { min($0, FilmPlan.longestSide) }
            var told = MemoryPrice(plan.size, bytes: price.bytes, available: price.available, largestSide: largest)
            told.frames = plan.frames
            prices.append(told)
        }
    }
}

extension VideoDefaults {
    /// As a worker tells them; nil where that cannot be read.
    init?(_ told: VideoCapabilities) {
        guard let size = ImageSize(told.defaultSize), told.multiple > 0, told.frameMultiple > 0 else { return nil }
        self.init(
            width: size.width, height: size.height, frames: told.defaultFrames, fps: told.fps, steps: told.steps.standard.map { Int($0) } ?? 1,
            guidanceScale: Float(told.guidanceScale.standard ?? 1), multiple: told.multiple, frameMultiple: told.frameMultiple,
            startsFromPicture: told.startsFromPicture, needsPicture: told.needsPicture, longestSide: told.maxSide, mostFrames: told.maxFrames)
    }
}

extension SpeechCapabilities {
    init(_ model: any SpeechModel) {
        self.init()
        let abilities = model.abilities
        voices = model.voices.map { Voice(name: $0.name, language: $0.language) }
        sampleRate = abilities.sampleRate
        sampleRates = ParameterRange(SpeechRules.sampleRates, default: abilities.sampleRate)
        speed = ParameterRange(0.25...4, default: 1)
        formats = AudioFormat.allCases.map(\.rawValue)
        (clonesVoices, cloningNeedsText) = (abilities.clones, abilities.cloningNeedsText)
        (honoursSeed, honoursInstructions) = (abilities.honoursSeed, abilities.honoursInstructions)
        sampleSeconds = ParameterRange(VoiceUpload.sampleSeconds)
        maxSampleBytes = VoiceUpload.largestSample
        maxInputCharacters = abilities.longestText
    }
}

extension MemoryPrice {
    fileprivate init(_ size: ImageSize, bytes: Int, available: Int?, largestSide: Int?) {
        self.init()
        self.size = size.description
        (self.bytes, availableBytes, self.largestSide) = (bytes, available, largestSide)
    }
}

extension Float {
    /// 0.6 for 0.6, not 0.6000000238.
    fileprivate var asWritten: Double { Double(description) ?? Double(self) }
}
