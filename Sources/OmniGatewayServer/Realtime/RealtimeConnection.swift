import Logging
import OmniAPI
import OmniEngine
import OmniHTTP
import ServiceLifecycle

/// One realtime session on its socket: client's events go to the ``RealtimeState``, and what that says is done.
actor RealtimeConnection {
    struct Limits: Sendable {
        /// Bytes of a client's event.
        var message = 8 << 20
        /// Bytes that wait for the client before an answer waits too.
        var waiting = 1 << 20
        /// How long a session lasts.
        var length = Duration.seconds(3600)
        var silence = SilenceWatch.Limits(configuration: .seconds(1800), idle: .seconds(1800), stall: .seconds(60))
    }

    private let session: WebSocketSession
    let cascade: RealtimeCascade
    private let limits: Limits
    private var state: RealtimeState
    private var dialect: RealtimeDialect
    let outbox: BoundedQueue<String>
    private var silence: SilenceWatch
    private let end: ContinuousClock.Instant
    /// The peer's form of the session; nil until the first event tells that the client speaks it.
    var peer: PeerRealtime?
    private var isFresh = true
    var answering: Task<Void, Never>?
    /// Cuts the answer that is being made into sentences.
    private var splitter = SentenceSplitter.ofAnswers
    private var waiting: Task<Void, Never>?
    /// Speech that is being written down, by item; what failed stays until an answer has told so.
    private var transcribing: [String: Task<Void, any Error>] = [:]
    private let headStarts: HeadStart.Places
    /// Of the turn that goes on, while it pauses.
    private var headStart: HeadStart?
    /// To the turn that has just ended.
    private var earlyAnswer: EarlyAnswer?
    private var closeCode: UInt16 = 1000

    init(
        _ session: WebSocketSession, _ cascade: RealtimeCascade, settings: RealtimeSession, dialect: RealtimeDialect,
        headStarts: HeadStart.Places = HeadStart.Places(), limits: Limits = Limits()
    ) {
        (self.session, self.cascade, self.dialect, self.headStarts, self.limits) = (session, cascade, dialect, headStarts, limits)
        state = RealtimeState(settings)
        outbox = BoundedQueue(limit: limits.waiting)
        silence = SilenceWatch(limits.silence, now: .now)
        end = .now + limits.length
    }

    /// Serves the client until it goes, the session is over, or it says nothing for too long. Whatever is being done then is given up.
    func run() async throws {
        defer { giveUp() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.write() }
            group.addTask { try await self.watch() }
            group.addTask {
                try await self.session.forEachMessage(maximumBytes: self.limits.message) { message in
                    await self.handle(message)
                    return true
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// The session's first words.
    func begin() {
        var created = RealtimeEvents.event("session.created", [("session", state.session.json)])
        // The peer's clients look here.
        if dialect == .current { created.append("id", .string(state.session.id)) }
        send(created)
    }

    private func giveUp() {
        outbox.finish()
        answering?.cancel()
        waiting?.cancel()
        for task in transcribing.values { task.cancel() }
        (headStart, earlyAnswer) = (nil, nil)
    }

    // MARK: Out

    private func send(_ event: JSONObject) {
        guard var event = dialect.write(event), !event.isEmpty else { return }
        event["event_id"] = .string(RequestID.make("event_", digits: 24))
        post(event)
    }

    /// What waits for the client counts by its length.
    func post(_ event: JSONObject) {
        let text = JSONValue.object(event).jsonText
        outbox.post(text, cost: text.utf8.count)
    }

    private func write() async throws {
        while let event = try await outbox.next() {
            silence.began(at: .now)
            try await session.send(text: event)
            silence.ended(at: .now, isConfigured: true)
        }
        try await session.close(code: closeCode)
    }

    private func close(_ error: APIError, code: UInt16) {
        send(RealtimeEvents.error(error))
        closeCode = code
        outbox.finish()
    }

    /// Returns when the session has to end.
    private func watch() async throws {
        while true {
            let (wait, deadline) = silence.deadline
            if Task.isShuttingDownGracefully, state.answer == nil {
                close(APIError(.unavailable, "The server is ending."), code: 1001)
                return try await Task.sleep(for: .seconds(5))
            }
            guard ContinuousClock.now < min(deadline, end) else {
                // Who takes nothing would not take the reason either.
                guard wait != .progress else { return }
                let reason =
                    ContinuousClock.now < end
                    ? "Nothing was said for \(limits.silence.idle.seconds) seconds."
                    : "A session lasts \(limits.length.seconds) seconds at most."
                close(APIError(.requestTimeout, reason), code: 1000)
                return try await Task.sleep(for: .seconds(5))
            }
            try await Task.sleep(until: min(deadline, end, .now + .seconds(1)), clock: .continuous)
        }
    }

    // MARK: In

    private func handle(_ message: WebSocketSession.Message) async {
        var eventID: String?
        do {
            // Who asks and asks and takes no answers is not heard any more. Sound that waits does not count: speech must interrupt it.
            try await outbox.waitForRoom(within: 8 * limits.waiting)
            guard case .text(let text) = message, let json = (try? JSONValue.parse(text))?.objectValue else {
                throw APIError(.badRequest, "Events are JSON objects in text messages.")
            }
            eventID = json["event_id"]?.stringValue
            if silence.deadline.wait != .progress { silence.ended(at: .now, isConfigured: true) }
            if isFresh, PeerRealtime.speaks(json) { peer = PeerRealtime() }
            isFresh = false
            if peer != nil { return takeFromPeer(json) }
            perform(try await actions(for: json))
        } catch {
            if error is CancellationError { return }
            if peer != nil { return tellPeer(error: "Invalid JSON", code: "invalid_json") }
            let told = (error as? APIError) ?? .unexpected(requestID: cascade.requestID)
            if !(error is APIError) { cascade.logger.error("realtime event failed", metadata: ["error": "\(error)"]) }
            send(RealtimeEvents.error(told, answering: eventID))
        }
    }

    private func actions(for json: JSONObject) async throws -> [RealtimeState.Action] {
        var json = json
        for name in ["session", "response"] {
            guard let settings = json[name]?.objectValue else { continue }
            if RealtimeDialect.isBeta(settings) { dialect = .beta }
            json[name] = .object(RealtimeDialect.current(settings))
        }
        switch try RealtimeClientEvent(json, makeID: { RequestID.make("item_", digits: 24) }) {
        case .updateSession(let changes):
            let changed = try state.session.updated(with: changes, at: .root("session"))
            try await cascade.check(changed)
            return state.use(changed)
        case .appendAudio(let text):
            guard let sound = Base64.decode(text) else { throw APIError.invalid("audio", "The sound is no base64.") }
            try cascade.checkTranscription()
            return try state.add(sound: Array(sound), at: .now)
        case let event: return try state.take(event, at: .now)
        }
    }

    private func perform(_ actions: [RealtimeState.Action]) {
        for action in actions {
            switch action {
            case .send(let event): send(event)
            case .anticipate(let sound, let format): anticipate(sound, format)
            case .speakOn: headStart = nil
            case .transcribe(let item, let sound, let format, let wasAnticipated): transcribe(item, sound, format, wasAnticipated)
            case .answer(let plan):
                answering = Task { [early = earlyAnswer] in await self.answer(plan, early) }
                earlyAnswer = nil
            case .stopAnswer: answering?.cancel()
            case .wait(let milliseconds): wait(milliseconds)
            }
        }
    }

    private func wait(_ milliseconds: Int?) {
        waiting?.cancel()
        waiting = milliseconds.map { milliseconds in
            Task {
                guard (try? await Task.sleep(for: .milliseconds(milliseconds))) != nil else { return }
                self.perform(self.state.idle(at: .now))
            }
        }
    }

    // MARK: Work

    private func anticipate(_ sound: [UInt8], _ format: RealtimeAudioFormat) {
        headStart = nil
        guard let start = HeadStart(cascade, sound, format, state.session.audio.input.transcription, in: headStarts) else { return }
        headStart = start
        Task { [weak start, transcript = start.transcript] in
            guard let heard = try? await transcript.value, let start else { return }
            self.answer(start, heard)
        }
    }

    /// Begins the answer to a turn that has not ended.
    private func answer(_ start: HeadStart, _ heard: HeadStart.Transcript) {
        guard headStart === start, let (plan, request) = state.anticipatedAnswer(to: heard.done.text) else { return }
        start.answer(plan, request, cascade)
    }

    private func transcribe(_ item: String, _ sound: [UInt8], _ format: RealtimeAudioFormat, _ wasAnticipated: Bool) {
        let asked = state.session.audio.input.transcription
        let start = wasAnticipated && headStart?.asked == asked ? headStart : nil
        (headStart, earlyAnswer) = (nil, start?.takeAnswer())
        transcribing[item] = Task {
            do {
                let done = try await self.transcript(of: item, sound, format, asked, start)
                self.perform(self.state.transcribed(item, done))
                self.transcribing[item] = nil
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                let told = self.told(error)
                self.perform(self.state.notTranscribed(item, told))
                throw told
            }
        }
    }

    private func transcript(
        of item: String, _ sound: [UInt8], _ format: RealtimeAudioFormat, _ asked: RealtimeTranscription?, _ start: HeadStart?
    ) async throws -> TranscriptionStreamEvent.Done {
        guard let start else {
            return try await cascade.transcribe(format.wav(sound), asked) { await self.heard($0, of: item) }
        }
        let heard = try await withTaskCancellationHandler {
            try await start.transcript.value
        } onCancel: {
            start.transcript.cancel()
        }
        for piece in heard.pieces { self.heard(piece, of: item) }
        return heard.done
    }

    private func heard(_ delta: String, of item: String) { perform(state.heard(delta, of: item)) }

    func told(_ error: any Error) -> APIError {
        if let error = error as? APIError { return error }
        cascade.logger.error("realtime work failed", metadata: ["error": "\(error)"])
        return .unexpected(requestID: cascade.requestID)
    }

    private func answer(_ plan: RealtimePlan, _ early: EarlyAnswer?) async {
        do {
            try await waitForTranscripts(plan)
            if !state.saysNothing(plan), let request = state.chat(plan) { try await answer(plan, request, early) }
            perform(state.finish(plan.id, at: .now))
        } catch {
            // An answer that was given up is over in the state already, and no failure of it is news.
            guard !Task.isCancelled else { return }
            perform(state.finish(plan.id, failure: told(error), at: .now))
        }
    }

    private func waitForTranscripts(_ plan: RealtimePlan) async throws {
        guard plan.input == nil else { return }
        for (item, task) in transcribing {
            do {
                try await task.value
            } catch {
                if !Task.isCancelled { transcribing[item] = nil }
                throw error
            }
        }
    }

    /// Sentences that may wait to be spoken before the text waits for them.
    private static let mostSentences = 64

    private func answer(_ plan: RealtimePlan, _ request: ChatCompletionRequest, _ early: EarlyAnswer?) async throws {
        let early = early?.answers(request) ?? false ? early : nil
        let sentences = BoundedQueue<String>(limit: Self.mostSentences)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { sentences.finish() }
                try await self.read(plan, request, early, into: sentences)
            }
            group.addTask { while let sentence = try await sentences.next() { try await self.speak(sentence, plan, early) } }
            // Whoever fails ends the other.
            while try await group.next() != nil {}
        }
    }

    private func read(
        _ plan: RealtimePlan, _ request: ChatCompletionRequest, _ early: EarlyAnswer?, into sentences: BoundedQueue<String>
    ) async throws {
        splitter = .ofAnswers
        if let early {
            try await early.read { try await self.take($0, of: plan, sentences) }
        } else {
            try await cascade.answer(request) { try await self.take($0, of: plan, sentences) }
        }
        try Task.checkCancellation()
        for sentence in splitter.flush() where plan.speaks { try await sentences.put(sentence) }
    }

    private func take(_ chunk: ChatCompletionChunk, of plan: RealtimePlan, _ sentences: BoundedQueue<String>) async throws {
        // The sound waits for a client that reads slowly, and the text for the sound; without sound it waits itself.
        if !plan.speaks { try await outbox.waitForRoom() }
        try Task.checkCancellation()
        perform(state.add(chunk, to: plan.id))
        guard plan.speaks, let text = chunk.choices.first?.delta.content?.text else { return }
        for sentence in splitter.push(text) { try await sentences.put(sentence) }
    }

    private func speak(_ sentence: String, _ plan: RealtimePlan, _ early: EarlyAnswer?) async throws {
        state.begin(sentence: sentence, of: plan.id)
        guard let early = early?.sound(of: sentence, plan.audio) else {
            return try await cascade.speak(sentence, plan.audio) { try await self.play($0, of: plan) }
        }
        while let sound = try await early.next() { try await play(sound, of: plan) }
    }

    private func play(_ sound: [UInt8], of plan: RealtimePlan) async throws {
        try await outbox.waitForRoom()
        perform(state.add(sound: sound, to: plan.id, at: .now))
    }
}
