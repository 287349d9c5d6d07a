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
    init(_ model: any VideoModel, size: ImageSize?) async {
        self.init()
        let defaults = model.videoDefaults
        let own = ImageSize(width: defaults.width, height: defaults.height)
        defaultSize = own.description
        multiple = defaults.multiple
        (defaultFrames, frameMultiple, fps) = (defaults.frames, defaults.frameMultiple, defaults.fps)
        steps = ParameterRange(1...200, default: defaults.steps)
        guidanceScale = ParameterRange(0...20, default: defaults.guidanceScale.asWritten)
        (startsFromPicture, needsPicture) = (defaults.startsFromPicture, defaults.needsPicture)
        formats = ["mp4"]
        for size in [own] + (size.map { [$0] } ?? []) {
            let grid = size.onGrid(defaults.multiple)
            var request = VideoRequest(prompt: "", seed: 0)
            (request.width, request.height, request.frames) = (grid.width, grid.height, defaults.frames)
            guard let price = try? await model.price(request) else { continue }
            var told = MemoryPrice(size, bytes: price.bytes, available: price.available, largestSide: price.largestSide)
            told.frames = defaults.frames
            prices.append(told)
        }
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
