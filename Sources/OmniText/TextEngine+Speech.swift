import OmniAPI
import OmniEngine
import OmniLlama

extension TextEngine: SpokenChatModel {
    public var capabilities: Set<ModelCapability> { speaker == nil ? [.chat] : [.chat, .spokenChat, .speech] }

    public var chatVoices: [SpeechVoice] { speaker?.voices ?? [] }

    public func check(_ speech: SpokenAnswer) throws {
        let speaker = try ableSpeaker()
        _ = try speaker.voice(speech)
        try speaker.decoder.check(speech.codec)
    }

    public func chat(_ request: ChatCompletionRequest, speech: SpokenAnswer, scope: RequestScope) async throws -> TextGeneration {
        let speaker = try ableSpeaker()
        guard request.n == 1 else { throw APIError.invalid("body.n", "A spoken answer has one choice; n is \(request.n).") }
        try speaker.decoder.check(speech.codec)
        let voice = try speaker.voice(speech)
        var feed: ThinkerFeed?
        let text = try await chat(request, scope: scope, systemPrompt: Speaker.systemPrompt) { prompt in
            try speaker.check(promptTokens: prompt.tokens.count, param: "body.messages")
            let own = speaker.feed(promptCount: prompt.tokens.count)
            feed = own
            return own
        }
        guard let feed else { return text }
        let events = text.events.spoken(by: speaker, feed, speech, voice: voice, cancellation: scope.cancellation)
        return TextGeneration(promptTokens: text.promptTokens, events: events)
    }

    func ableSpeaker() throws -> Speaker {
        guard let speaker else {
            throw APIError.invalid("modalities", "Unsupported output modalities audio for this model. Supported modalities: text.")
        }
        return speaker
    }
}

extension AsyncThrowingStream<TextEvent, any Error> {
    /// The same stream with the sound that `speaker` makes of what `feed` gets.
    func spoken(by speaker: Speaker, _ feed: ThinkerFeed, _ speech: SpokenAnswer, voice: CodecVoice, cancellation: CancellationToken)
        -> AsyncThrowingStream
    {
        spoken(cancelling: cancellation) { emit in
            try await speaker.speak(feed, speech, voice: voice, cancellation: cancellation) {
                emit(.audio(index: 0, $0, sampleRate: speaker.decoder.sampleRate))
            }
        }
    }

    /// The same stream with sound between its texts: the end of the choice waits for the end of the sound. What ends one of both ends the
    /// other.
    ///
    /// - Parameter sound: hands over each piece, and returns the number of codes that it was made of.
    func spoken(
        cancelling token: CancellationToken,
        by sound: @escaping @Sendable (_ emit: @escaping @Sendable (TextEvent) -> Void) async throws -> Int
    ) -> AsyncThrowingStream {
        let (stream, events) = Self.makeStream()
        let task = Task {
            do {
                try await withThrowingTaskGroup(of: (last: [TextEvent], codes: Int).self) { group in
                    group.addTask {
                        var last: [TextEvent] = []
                        for try await event in self {
                            switch event {
                            case .finished, .usage: last.append(event)
                            default: events.yield(event)
                            }
                        }
                        try Task.checkCancellation()
                        return (last, 0)
                    }
                    group.addTask { ([], try await sound { events.yield($0) }) }
                    var (last, codes): ([TextEvent], Int) = ([], 0)
                    do {
                        for try await part in group {
                            last += part.last
                            codes += part.codes
                        }
                    } catch {
                        token.cancel()
                        group.cancelAll()
                        throw error
                    }
                    for event in last {
                        if case .usage(var usage) = event {
                            usage.audioTokens = codes
                            events.yield(.usage(usage))
                        } else {
                            events.yield(event)
                        }
                    }
                }
                events.finish()
            } catch {
                events.finish(throwing: error)
            }
        }
        events.onTermination = { reason in
            guard case .cancelled = reason else { return }
            token.cancel()
            task.cancel()
        }
        return stream
    }
}
