import OmniAPI
import OmniHTTP

/// A realtime session: its settings, its conversation, the sound that came and the answer that is being made. A pure value: it takes what
/// happens and says what is to be done.
struct RealtimeState {
    enum Action {
        case send(JSONObject)
        /// The turn may be over: what was said can be written down, and answered, in advance.
        case anticipate(sound: [UInt8], RealtimeAudioFormat)
        /// The turn is not over: what was begun in advance is to be given up.
        case speakOn
        /// What was said is to be written down. Where it was anticipated, nothing has been said since.
        case transcribe(item: String, sound: [UInt8], RealtimeAudioFormat, wasAnticipated: Bool)
        /// An answer is to be made, once what was said before is written down.
        case answer(RealtimePlan)
        /// The answer that is being made is to be given up.
        case stopAnswer
        /// Nobody says anything: ``idle(at:)`` is to be told after so many milliseconds; nil for never.
        case wait(Int?)
    }

    /// Milliseconds of sound that the buffer holds at most.
    static let longestSound = 600_000
    /// Milliseconds of sound before a turn that may still become part of it, beside the padding.
    private static let lookBack = 400
    /// Milliseconds of sound that can be committed.
    private static let shortestCommit = 100
    /// Milliseconds of a turn that is anticipated, at most: a longer one takes the recognizer several looks.
    private static let longestAnticipated = 28_000

    var session: RealtimeSession
    var conversation = RealtimeConversation()
    var answer: RealtimeAnswer?
    let conversationID = RequestID.make("conv_", digits: 24)
    var input: InputAudio
    private var detector: TurnDetector?
    /// Milliseconds of the session's sound at which the detector began.
    private var detectorStart = 0
    /// Bytes that make no whole frame yet.
    private var rest: [UInt8] = []
    /// The item that the turn which goes on will become.
    var turnID: String?
    /// What was said so far was given out to be anticipated, and nothing has been said since.
    private var isAnticipated = false
    /// A turn ended while an answer was made that it does not interrupt.
    var owesAnswer = false
    /// When the first sound of the answer went out.
    var soundBegan: ContinuousClock.Instant?

    init(_ session: RealtimeSession) {
        self.session = session
        self.session.id = session.id ?? RequestID.make("sess_", digits: 24)
        input = InputAudio(session.audio.input.format)
        detector = session.audio.input.turnDetection.map(TurnDetector.init)
    }

    // MARK: Settings

    /// Takes settings that were checked.
    mutating func use(_ session: RealtimeSession) -> [Action] {
        let old = self.session.audio.input
        self.session = session
        if old.format != session.audio.input.format {
            input = InputAudio(session.audio.input.format)
            rest = []
        }
        let detection = session.audio.input.turnDetection
        if old.format != session.audio.input.format || old.turnDetection == nil && detection != nil {
            flush()
            detector = detection.map(TurnDetector.init)
            awaitTurn()
        } else if let detection {
            // A turn that goes on keeps what was said, and ends by the new rules.
            detector?.use(detection)
        } else if old.turnDetection != nil {
            flush()
            (detector, isAnticipated) = (nil, false)
        }
        return [.send(RealtimeEvents.event("session.updated", [("session", session.json)]))]
    }

    /// From here on a new turn is waited for.
    mutating func awaitTurn() {
        (turnID, detectorStart, isAnticipated) = (nil, input.end, false)
        detector?.restart()
    }

    /// What makes no whole frame is sound too.
    private mutating func flush() {
        input.add(rest)
        rest = []
    }

    // MARK: Sound

    /// The next sound, in the session's format. Throws 400 when the buffer is full.
    mutating func add(sound: [UInt8], at now: ContinuousClock.Instant) throws -> [Action] {
        guard let detection = session.audio.input.turnDetection, detector != nil else {
            guard input.length + input.format.milliseconds(bytes: sound.count) <= Self.longestSound else {
                throw APIError.invalid("audio", "The buffer holds \(Self.longestSound / 1000) seconds.", remedy: "Commit or clear it.")
            }
            input.add(sound)
            return []
        }
        var actions: [Action] = []
        rest += sound
        let frame = input.format.bytes(milliseconds: TurnDetector.frame)
        var place = 0
        while rest.count - place >= frame {
            let bytes = rest[place..<place + frame]
            place += frame
            input.add(bytes)
            switch detector?.add(input.format.samples(of: bytes)) {
            case .started(let start): actions += turnBegan(detection, start: detectorStart + start, at: now)
            case .paused:
                guard input.length <= Self.longestAnticipated else { continue }
                isAnticipated = true
                actions.append(.anticipate(sound: input.bytes, input.format))
            case .resumed:
                isAnticipated = false
                actions.append(.speakOn)
            case .stopped: actions += turnEnded(detection, at: now)
            case nil:
                if turnID == nil {
                    input.drop(before: input.end - detection.prefixPadding - Self.lookBack)
                } else if input.length >= Self.longestSound {
                    actions += turnEnded(detection, at: now)
                }
            }
        }
        rest.removeFirst(place)
        return actions
    }

    private mutating func turnBegan(_ detection: RealtimeTurnDetection, start: Int, at now: ContinuousClock.Instant) -> [Action] {
        let id = RequestID.make("item_", digits: 24)
        turnID = id
        input.drop(before: start - detection.prefixPadding)
        let event = RealtimeEvents.event(
            "input_audio_buffer.speech_started", [("audio_start_ms", .int(input.start)), ("item_id", .string(id))])
        var actions: [Action] = [.wait(nil), .send(event)]
        if detection.interruptsResponse, answer?.plan.isInConversation ?? false { actions += interrupt(at: now) }
        return actions
    }

    private mutating func turnEnded(_ detection: RealtimeTurnDetection, at now: ContinuousClock.Instant) -> [Action] {
        let id = turnID ?? RequestID.make("item_", digits: 24)
        let event = RealtimeEvents.event(
            "input_audio_buffer.speech_stopped", [("audio_end_ms", .int(input.end)), ("item_id", .string(id))])
        var actions: [Action] = [.send(event)] + commit(as: id)
        guard detection.createsResponse, session.kind == .realtime else { return actions }
        if answer != nil { owesAnswer = true } else { actions += answerTurn() }
        return actions
    }

    /// Makes an item of the sound that is there.
    private mutating func commit(as id: String) -> [Action] {
        let (sound, wasAnticipated) = (input.takeAll(), isAnticipated)
        return appendTurn(id, transcript: nil) + [.transcribe(item: id, sound: sound, input.format, wasAnticipated: wasAnticipated)]
    }

    /// Puts a turn of the user's at the end of the conversation, and waits for the next one.
    mutating func appendTurn(_ id: String, transcript: String?) -> [Action] {
        let previous = conversation.lastID
        let item = RealtimeItem(id: id, .message(.user, [.audio(transcript: transcript)]))
        conversation.append(item)
        awaitTurn()
        let committed = RealtimeEvents.event(
            "input_audio_buffer.committed", [("previous_item_id", .string(previous)), ("item_id", .string(id))])
        return [.send(committed)] + told(item, after: previous)
    }

    func told(_ item: RealtimeItem, after previous: String?) -> [Action] {
        ["conversation.item.added", "conversation.item.done"].map {
            .send(RealtimeEvents.event($0, [("previous_item_id", .string(previous)), ("item", item.json)]))
        }
    }

    // MARK: Requests

    /// Does what a client asks; settings come checked to ``use(_:)``, sound decoded to ``add(sound:at:)``. Throws what is wrong with it,
    /// and changes nothing then.
    mutating func take(_ event: RealtimeClientEvent, at now: ContinuousClock.Instant) throws -> [Action] {
        switch event {
        case .updateSession, .appendAudio: return []
        case .commitAudio:
            flush()
            guard input.length >= Self.shortestCommit else {
                throw APIError.invalid(
                    "audio", "The buffer holds \(input.length) ms of sound, and \(Self.shortestCommit) ms at least can be committed.")
            }
            return commit(as: turnID ?? RequestID.make("item_", digits: 24))
        case .clearAudio:
            flush()
            _ = input.takeAll()
            awaitTurn()
            return [.send(RealtimeEvents.event("input_audio_buffer.cleared", []))]
        case .createItem(let item, let previous): return try create(item, after: previous)
        case .retrieveItem(let id):
            return [.send(RealtimeEvents.event("conversation.item.retrieved", [("item", try conversation.item(id).json)]))]
        case .truncateItem(let id, let part, let milliseconds):
            try conversation.truncate(id, part: part, milliseconds: milliseconds)
            return [.send(truncated(id, part, milliseconds))]
        case .deleteItem(let id):
            try conversation.delete(id)
            return [.send(RealtimeEvents.event("conversation.item.deleted", [("item_id", .string(id))]))]
        case .createResponse(let asked):
            guard session.kind == .realtime else { throw APIError.invalid("type", "A session of type transcription makes no answers.") }
            guard answer == nil else {
                throw APIError(
                    .conflict, "The session makes an answer already.", remedy: "Wait for response.done, or send response.cancel.")
            }
            return begin(try RealtimePlan(session, asked, in: conversation))
        case .cancelResponse(let id):
            guard let answer, id == nil || id == answer.id else {
                throw APIError.invalid("response_id", "No such answer is being made.")
            }
            return [.stopAnswer] + end(.cancelled, reason: .clientCancelled) + (owesAnswer ? answerTurn() : [])
        }
    }

    private mutating func create(_ item: RealtimeItem, after previous: String?) throws -> [Action] {
        var sounds: [[UInt8]] = []
        for case .audio(nil, let text?) in item.parts {
            guard let sound = Base64.decode(text) else { throw APIError.invalid("item.content", "The sound of a part is no base64.") }
            sounds.append(Array(sound))
        }
        guard sounds.count <= 1 else { throw APIError.invalid("item.content", "An item has one part of sound at most.") }
        try conversation.insert(item, after: previous)
        let transcriptions = sounds.map { Action.transcribe(item: item.id, sound: $0, session.audio.input.format, wasAnticipated: false) }
        return told(item, after: conversation.previous(of: item.id)) + transcriptions
    }

    func truncated(_ id: String, _ part: Int, _ milliseconds: Int) -> JSONObject {
        RealtimeEvents.event(
            "conversation.item.truncated",
            [("item_id", .string(id)), ("content_index", .int(part)), ("audio_end_ms", .int(milliseconds))])
    }
}
