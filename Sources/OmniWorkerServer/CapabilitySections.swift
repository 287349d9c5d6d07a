import OmniAPI
import OmniEngine
import OmniMedia
import OmniRequests

extension TextCapabilities {
    init(_ card: ModelCard) {
        self.init()
        maxModelLength = card.maxModelLength
        bytesPerToken = card.details["kv_bytes_per_token"]?.intValue
        cacheTokens = card.details["kv_cache_tokens"]?.intValue
        defaultSampling = card.details["default_sampling"].flatMap { try? GenerationConfig(json: $0) }
        description = card.details["description"]?.stringValue
        dimensions = card.details["dimensions"]?.intValue
        labels = card.details["labels"]?.arrayValue?.compactMap(\.stringValue)
    }
}

extension ModelMemory {
    /// Of a model in this process.
    init(_ reservation: MemoryReservation) {
        self.init()
        resident = ProcessMemory.current?.resident
        func told(_ bytes: Int) -> Int? { bytes > 0 ? bytes : nil }
        (weights, cache, compute) = (told(reservation.weights), told(reservation.cache), told(reservation.compute))
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
        maxInputImages = defaults.references?.count ?? 1
        steps = ParameterRange(defaults.limits.steps, default: defaults.steps)
        guidanceScale = ParameterRange(defaults.limits.toldGuidanceScale, default: defaults.guidanceScale.asWritten)
        strength = ParameterRange(0...1, default: defaults.strength.asWritten)
        count = ParameterRange(1...10, default: 1)
        previews = ParameterRange(0...3, default: 0)
        formats = ImageOutputFormat.allCases.map(\.rawValue)
        adapters = limits.adapterNames
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
    init(_ model: any VideoModel, limits: ImageRequestLimits, size: ImageSize?, frames: Int?) async {
        let defaults = model.videoDefaults
        self.init(defaults)
        adapters = limits.adapterNames
        var asked = [VideoGenerationRequest()]
        if size != nil || frames != nil {
            asked.append(VideoGenerationRequest())
            (asked[1].size, asked[1].frames) = (size, frames)
        }
        for asked in asked {
            // What the model cannot make at any price has none.
            guard let plan = try? VideoShape(asked, defaults, picture: nil) else { continue }
            guard let price = try? await model.price(VideoRequest(asked, seed: 0, plan, picture: nil, adapters: [])) else { continue }
            let largest = price.largestSide.map { min($0, VideoShape.longestSide) }
            var told = MemoryPrice(plan.size, bytes: price.bytes, available: price.available, largestSide: largest)
            told.frames = plan.frames
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
        maxInputCharacters = abilities.longestText
    }
}

extension TranscriptionCapabilities {
    init(_ abilities: TranscriptionAbilities, limits: AudioLimits) {
        self.init()
        languages = abilities.languages.map(\.code)
        (translates, findsPauses) = (abilities.translates, abilities.findsPauses)
        formats = TranscriptionRequest.Format.allCases.filter { $0 != .diarizedJSON }.map(\.rawValue)
        granularities = TranscriptionRequest.Granularity.allCases.filter { $0 != .word || abilities.timesWords }.map(\.rawValue)
        (maxSeconds, maxFileBytes) = (limits.seconds, limits.fileBytes)
    }
}

extension MemoryPrice {
    fileprivate init(_ size: ImageSize, bytes: Int, available: Int?, largestSide: Int?) {
        self.init()
        self.size = size.description
        (self.bytes, availableBytes, self.largestSide) = (bytes, available, largestSide)
    }
}
