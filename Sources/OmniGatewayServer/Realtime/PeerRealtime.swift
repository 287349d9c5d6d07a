import OmniAPI
import OmniEngine

/// A session in vLLM-Omni's own form (API.md, section 14): sound goes in, and once it has ended the answer comes in text and sound. A pure
/// value.
struct PeerRealtime {
    /// Hz of the sound that clients send; 16-bit samples.
    static let sampleRate = 16_000
    /// Bytes of sound that a question has at most: ten minutes.
    static let longestSound = 600 * sampleRate * 2

    /// What is answered to a question.
    struct Answer {
        var text = ""
        var usage = Usage()
        var hasAudio = false

        /// Its text, to be spoken.
        func sentences() -> [String] {
            var splitter = SentenceSplitter.ofAnswers
            return splitter.push(text) + splitter.flush()
        }
    }

    /// Nil until a `session.update` has named a model that is there.
    var cascade: RealtimeCascade?
    var answer = Answer()
    private(set) var sound: [UInt8] = []
    /// A question has begun.
    private(set) var isOpen = false

    /// Whether a first event is the peer's: its `session.update` names a model and has no session, its `commit` says whether it is the last.
    static func speaks(_ event: JSONObject) -> Bool {
        switch event["type"] {
        case "session.update": event["session"] == nil && event["model"] != nil
        case "input_audio_buffer.commit": event["final"] != nil
        default: false
        }
    }

    /// More sound; false when that is too much.
    mutating func add(_ more: [UInt8]) -> Bool {
        guard sound.count + more.count <= Self.longestSound else { return false }
        sound += more
        return true
    }

    /// A question begins, if none has; what is held belongs to it.
    mutating func begin() { isOpen = true }

    /// The question has been asked: its sound.
    mutating func take() -> [UInt8] {
        defer { (sound, isOpen) = ([], false) }
        return sound
    }
}

extension RealtimeConnection {
    /// Takes an event of the peer's form.
    func takeFromPeer(_ event: JSONObject) {
        switch event["type"] {
        case "session.update":
            let name = event["model"]?.stringValue ?? ""
            do {
                peer?.cascade = try cascade.with(model: name)
            } catch {
                tellPeer(error: told(error).fullMessage, code: "model_not_found")
            }
        case "input_audio_buffer.append":
            guard let sound = event["audio"]?.stringValue.flatMap(Base64.decode), sound.count % 2 == 0 else {
                return tellPeer(error: "Audio must be base64 of 16-bit samples", code: "invalid_audio")
            }
            if peer?.add(Array(sound)) == false { tellPeer(error: "Too much audio", code: "invalid_audio") }
        case "input_audio_buffer.commit":
            guard let models = peer?.cascade else {
                return tellPeer(error: "Send session.update with a model first", code: "model_not_validated")
            }
            guard event["final"]?.boolValue ?? false else {
                peer?.begin()
                return
            }
            guard peer?.isOpen ?? false, let sound = peer?.take() else { return }
            let earlier = answering
            answering = Task {
                await earlier?.value
                await self.answerPeer(sound, models)
            }
        case .string(let type)?: tellPeer(error: "Unknown event type: \(type.prefix(80))", code: "unknown_event")
        default: tellPeer(error: "Events need a type", code: "invalid_event")
        }
    }

    func tellPeer(error: String, code: String) {
        postToPeer(["type": "error", "error": .string(error), "code": .string(code)])
    }

    private func postToPeer(_ event: JSONValue) {
        if let event = event.objectValue { post(event) }
    }

    private func answerPeer(_ sound: [UInt8], _ models: RealtimeCascade) async {
        peer?.answer = PeerRealtime.Answer()
        do {
            let wav = RealtimeAudioFormat.wav(pcm: sound, sampleRate: PeerRealtime.sampleRate)
            if models.chat == nil {
                let done = try await models.transcribe(wav, nil) { await self.sayToPeer($0) }
                peer?.answer.usage = Usage(promptTokens: done.usage?.inputTokens ?? 0, completionTokens: done.usage?.outputTokens ?? 0)
            } else {
                var request = ResponsesRequest()
                let heard = try await models.transcribe(wav, nil) { _ in }
                request.input = [ResponseItem(.message(.user, .text(heard.text)), json: JSONObject())]
                try await models.answer(request.chat(after: [])) { await self.takeForPeer($0) }
                for sentence in peer?.answer.sentences() ?? [] where models.speech != nil {
                    try await models.speak(sentence, RealtimeAudioSettings.Output()) { try await self.playToPeer($0) }
                }
            }
        } catch {
            guard !Task.isCancelled else { return }
            tellPeer(error: told(error).fullMessage, code: "processing_error")
        }
        finishPeer(peer?.answer ?? PeerRealtime.Answer())
    }

    private func sayToPeer(_ delta: String) {
        peer?.answer.text += delta
        postToPeer(["type": "transcription.delta", "delta": .string(delta)])
    }

    private func takeForPeer(_ chunk: ChatCompletionChunk) {
        if let usage = chunk.usage { peer?.answer.usage = usage }
        if let delta = chunk.choices.first?.delta.content?.text, !delta.isEmpty { sayToPeer(delta) }
    }

    private func playToPeer(_ sound: [UInt8]) async throws {
        guard !sound.isEmpty else { return }
        try await outbox.waitForRoom()
        peer?.answer.hasAudio = true
        postToPeer([
            "type": "response.output_audio.delta", "audio": .string(sound.base64), "format": "pcm16",
            "sample_rate_hz": .int(AudioFormat.pcmRate),
        ])
    }

    private func finishPeer(_ answer: PeerRealtime.Answer) {
        postToPeer(["type": "transcription.done", "text": .string(answer.text), "usage": answer.usage.json])
        postToPeer(["type": "response.output_audio.done", "has_audio": .bool(answer.hasAudio)])
    }
}
