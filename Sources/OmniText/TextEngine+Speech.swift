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
        guard scope.adapter == nil else { throw APIError.invalid("model", "Answers with an adapter are not spoken by the model itself.") }
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
        let events = text.events.spoken(
            by: speaker, feed, speech, voice: voice, mayCall: request.tools?.isEmpty == false && request.toolChoice != ToolChoice.none,
            cancellation: scope.cancellation)
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
    ///
    /// - Parameter mayCall: the answer may be a call of a tool, which is not spoken: sound waits for the first word, and ends with the
    ///   first call.
    func spoken(
        by speaker: Speaker, _ feed: ThinkerFeed, _ speech: SpokenAnswer, voice: CodecVoice, mayCall: Bool = false,
        cancellation: CancellationToken
    ) -> AsyncThrowingStream {
        let gate = SpeechGate(isOpen: !mayCall)
        return spoken(
            cancelling: cancellation,
            noting: { event, emit in
                switch event {
                case .text(_, let text, _) where text.contains(where: { !$0.isWhitespace }): gate.open(emit)
                case .toolCall:
                    gate.close()
                    feed.end()
                default: break
                }
            },
            by: { emit in
                let codes = try await speaker.speak(feed, speech, voice: voice, cancellation: cancellation) {
                    gate.pass(.audio(index: 0, $0, sampleRate: speaker.decoder.sampleRate), emit)
                }
                return gate.wasOpen ? codes : 0
            })
    }

    /// The same stream with sound between its texts: the end of the choice waits for the end of the sound. What ends one of both ends the
    /// other.
    ///
    /// - Parameters:
    ///   - note: gets each event of the text once it was handed on.
    ///   - sound: hands over each piece, and returns the number of codes that it was made of.
    func spoken(
        cancelling token: CancellationToken,
        noting note: @escaping @Sendable (TextEvent, _ emit: (TextEvent) -> Void) -> Void = { _, _ in },
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
                            default:
                                events.yield(event)
                                note(event) { events.yield($0) }
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
