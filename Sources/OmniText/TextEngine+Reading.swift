import OmniAPI
import OmniEngine
import OmniLlama

/// A model that speaks its answers reads texts, too: it is asked to, and the words are put into its mouth, so that it says these and no others.
extension TextEngine: SpeechModel {
    /// Unicode scalars that may be read: what can be said in as many codes as an answer may have.
    private static let longestReading = 1200
    /// Samples of one event at most, as a share of a second.
    private static let pieces = 5

    public var voices: [SpeechVoice] { chatVoices }

    public var abilities: SpeechAbilities {
        SpeechAbilities(honoursSeed: true, sampleRate: speaker?.decoder.sampleRate ?? 24_000, longestText: Self.longestReading)
    }

    public func speak(_ request: SpeechSynthesis, scope: RequestScope) async throws -> SpeechGeneration {
        let speaker = try ableSpeaker()
        let text = try await BlockingThread.run(name: "omni-words") { speaker.words(request.text) }
        guard !text.isEmpty else { throw APIError.invalid("input", "Input text cannot be empty") }
        guard text.unicodeScalars.count <= Self.longestReading else {
            throw APIError(
                .tooLarge, "The text has \(text.unicodeScalars.count) characters.",
                remedy: "This model reads at most \(Self.longestReading) at once.", param: "input")
        }
        var speech = SpokenAnswer(voice: request.voice)
        (speech.voiceField, speech.seed, speech.codec.seed) = ("voice", request.seed, request.seed)
        // Two seconds, and a third of a second for each character: speech that does not end by itself is cut there.
        speech.maxTokens = 100 + 17 * text.unicodeScalars.count
        let voice = try speaker.voice(speech)
        let (head, words) = try await reading(text)
        guard head.count + words.count < maxLength else { throw APIError(.tooLarge, APIError.contextLength(maxLength), param: "input") }
        try speaker.check(promptTokens: head.count, param: "input")

        let feed = speaker.feed(promptCount: head.count)
        let (stream, events) = AsyncThrowingStream.makeStream(of: TextEvent.self, throwing: (any Error).self)
        var plan = SamplingPlan()
        plan.temperature = 0
        try start(
            GenerationRequest(prompts: [Prompt(head + words)], feed: feed, plan: plan, maxTokens: 1, scope: scope, events: events))
        let rate = speaker.decoder.sampleRate
        let spoken = stream.spoken(by: speaker, feed, speech, voice: voice, cancellation: scope.cancellation)
        return SpeechGeneration(
            sampleRate: rate, ignored: ignored(request, rate: rate),
            events: spoken.speech(symbols: words.count, longest: rate / Self.pieces))
    }

    /// The tokens of a conversation in which the model was asked to read, and of what it says. The template runs on a thread of its own.
    private func reading(_ text: String) async throws -> (head: [Token], words: [Token]) {
        try await BlockingThread.run(name: "omni-template") { [self] in
            let messages: [JSONValue] = [
                ["role": "system", "content": .string(Speaker.systemPrompt)],
                ["role": "user", "content": .string("Read this text aloud, word for word, and say nothing else:\n\n\(text)")],
            ]
            let prompt = try template.apply(ChatTemplate.Request(messages: messages)).prompt
            return (
                vocabulary.tokenize(prompt, addSpecial: true, special: true), vocabulary.tokenize(text, addSpecial: false, special: false)
            )
        }
    }

    private func ignored(_ request: SpeechSynthesis, rate: Int) -> [String] {
        var names: [String] = []
        if request.speed != 1 { names.append("speed") }
        if let wanted = request.sampleRate, wanted != rate { names.append("sample_rate") }
        if request.language != nil { names.append("language") }
        return names
    }
}

extension AsyncThrowingStream<TextEvent, any Error> {
    /// The sound among the events, in pieces of at most `longest` samples, and at the end the counts.
    fileprivate func speech(symbols: Int, longest: Int) -> AsyncThrowingStream<SpeechEvent, any Error> {
        let (stream, events) = AsyncThrowingStream<SpeechEvent, any Error>.makeStream()
        let task = Task {
            var seconds = 0.0, codes = 0
            do {
                for try await event in self {
                    switch event {
                    case .audio(_, let samples, let rate):
                        for start in stride(from: 0, to: samples.count, by: longest) {
                            events.yield(.audio(Array(samples[start..<Swift.min(start + longest, samples.count)])))
                        }
                        seconds += Double(samples.count) / Double(rate)
                    case .usage(let usage): codes = usage.audioTokens ?? 0
                    default: break
                    }
                }
                events.yield(.usage(SpeechUsage(inputTokens: symbols, outputTokens: codes, units: 1, seconds: seconds)))
                events.finish()
            } catch {
                events.finish(throwing: error)
            }
        }
        events.onTermination = { reason in
            if case .cancelled = reason { task.cancel() }
        }
        return stream
    }
}
