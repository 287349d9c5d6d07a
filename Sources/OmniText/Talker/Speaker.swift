import OmniAPI
import OmniEngine
import OmniLlama

/// What makes a model's answers heard: a talker, which follows the thinker with codes, and what makes sound of them.
final class Speaker: Sendable {
    let talker: Talker
    let decoder: any CodecDecoder
    /// The words of a text that is to be read.
    let words: @Sendable (String) -> String
    /// What is wished of the system before any sound, word for word: the talker was trained on nothing else.
    static let systemPrompt =
        "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and visual inputs, as well as generating text and speech."

    init(talker: Talker, decoder: any CodecDecoder, words: @escaping @Sendable (String) -> String) {
        (self.talker, self.decoder, self.words) = (talker, decoder, words)
    }

    /// Loads the talker of `thinker`, whose prompts have at most so many tokens. Blocks. Throws ``APIError``.
    convenience init(_ parts: VoiceParts, thinker: LlamaModel, prompts: Int, options: TextEngineOptions) throws {
        let model = try TalkerModel(path: parts.talker, thinker: thinker, placement: options.placement)
        let setup = TalkerSetup(
            sequences: max(min(parts.sequences, options.maxSequences), 1),
            length: min(prompts, parts.longestPrompt) + TalkerRequest.mostCodes + 2,
            threads: options.threadCount, isExact: parts.isExact)
        self.init(talker: try Talker(model: model, setup: setup, lane: parts.lane), decoder: parts.decoder, words: parts.words)
    }

    var reservation: MemoryReservation { talker.reservation + MemoryReservation(weights: decoder.weightBytes) }

    var voices: [SpeechVoice] { decoder.voices.map { SpeechVoice(name: $0.name) } }

    /// Throws 400 with the voices that there are.
    func voice(_ speech: SpokenAnswer) throws -> CodecVoice {
        guard let name = speech.voice, !name.isEmpty, name.lowercased() != "default" else {
            guard let first = decoder.voices.first else { throw APIError(.internalError, "The model has no voices.") }
            return first
        }
        guard let voice = decoder.voice(named: name) else {
            let names = decoder.voices.map(\.name).joined(separator: ", ")
            throw APIError.invalid(speech.voiceField, "Invalid voice '\(name.prefix(64))'. Supported: \(names)")
        }
        return voice
    }

    /// Throws 413 where prompt and codes do not fit into the talker's memory.
    func check(promptTokens: Int, param: String) throws {
        let most = talker.setup.length - TalkerRequest.mostCodes - 2
        guard promptTokens > most else { return }
        throw APIError(
            .tooLarge, "A spoken answer may have a prompt of at most \(most) tokens, and this one has \(promptTokens).",
            remedy: "Shorten the conversation, or ask for text alone.", param: param)
    }

    /// The rows of one answer, which wake the talker as they come.
    func feed(promptCount: Int) -> ThinkerFeed { ThinkerFeed(promptCount: promptCount) { [weak talker] in talker?.wake() } }

    /// Speaks what the thinker makes, handing over the sound as it comes, and returns the number of codes. Throws `CancellationError`.
    func speak(
        _ feed: ThinkerFeed, _ speech: SpokenAnswer, voice: CodecVoice, cancellation: CancellationToken,
        emit: @escaping @Sendable ([Float]) -> Void
    ) async throws -> Int {
        let codes = BoundedQueue<Token>(limit: .max)
        var plan = SamplingPlan(speech, tokens: talker.model.tokens)
        // Nothing can be made of these.
        let ends = [talker.model.tokens.end, talker.model.tokens.pad]
        plan.biases += (decoder.codeCount..<max(talker.model.codeCount, decoder.codeCount)).map { (Token($0), -.infinity) }
            .filter { !ends.contains($0.0) }
        try talker.add(
            TalkerRequest(
                feed: feed, voice: voice.beginToken, plan: plan, maxCodes: min(speech.maxTokens ?? .max, TalkerRequest.mostCodes),
                cancellation: cancellation, codes: codes))
        return try await BlockingThread.run(name: "omni-codec") { [decoder, talker] in
            talker.meter.beginDecoding()
            defer { talker.meter.endDecoding() }
            let stream = try decoder.stream(voice, settings: speech.codec, cancellation: cancellation)
            var count = 0
            func send(_ samples: [Float]) { if !samples.isEmpty { emit(samples) } }
            while let some = try codes.takeAll() {
                count += some.count
                send(try stream.append(some))
            }
            if count > 0 { send(try stream.finish()) }
            return count
        }
    }
}
