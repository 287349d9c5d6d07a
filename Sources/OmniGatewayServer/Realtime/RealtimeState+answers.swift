import OmniAPI
import OmniHTTP

/// Answers: one at a time, from their beginning to their end.
extension RealtimeState {
    mutating func answerTurn() -> [Action] {
        owesAnswer = false
        guard var plan = try? RealtimePlan(session, in: conversation) else { return [] }
        plan.answersTurn = true
        return begin(plan)
    }

    /// The answer that a turn would get if it ended now with these words; nil for none, or where another is being made.
    func anticipatedAnswer(to transcript: String) -> (RealtimePlan, ChatCompletionRequest)? {
        let answersTurns = session.audio.input.turnDetection?.createsResponse ?? false
        guard answersTurns, session.kind == .realtime, answer == nil, !transcript.allSatisfy(\.isWhitespace) else { return nil }
        var ahead = self
        _ = ahead.appendTurn(RequestID.make("item_", digits: 24), transcript: transcript)
        guard let plan = try? RealtimePlan(session, in: ahead.conversation) else { return nil }
        return (plan, plan.chat(ahead.conversation))
    }

    mutating func begin(_ plan: RealtimePlan) -> [Action] {
        let answer = RealtimeAnswer(plan, conversationID: conversationID)
        (self.answer, soundBegan) = (answer, nil)
        return [.wait(nil), .send(answer.created()), .answer(plan)]
    }

    /// Speech ends the answer. Of its sound only so much can have been heard as time has passed since it began.
    mutating func interrupt(at now: ContinuousClock.Instant) -> [Action] {
        guard let answer else { return [] }
        let length = answer.spoken.length
        let heard = soundBegan.map { min(length, Int(($0.duration(to: now)) / .milliseconds(1))) } ?? 0
        var actions: [Action] = [.stopAnswer] + end(.cancelled, reason: .turnDetected)
        guard let id = answer.messageID, answer.plan.speaks, (try? conversation.truncate(id, part: 0, milliseconds: heard)) != nil else {
            return actions
        }
        actions.append(.send(truncated(id, 0, heard)))
        return actions
    }

    mutating func end(
        _ status: RealtimeResponse.Status, reason: RealtimeResponse.Reason? = nil, error: APIError? = nil
    ) -> [Action] {
        guard var answer else { return [] }
        let events = answer.close(status, reason: reason, error: error, &conversation)
        self.answer = nil
        return events.map(Action.send)
    }

    /// What the chat model is to be asked for a plan; nil where the answer is over.
    func chat(_ plan: RealtimePlan) -> ChatCompletionRequest? { answer?.id == plan.id ? plan.chat(conversation) : nil }

    /// Whether a turn said nothing: it needs no answer.
    func saysNothing(_ plan: RealtimePlan) -> Bool {
        guard plan.answersTurn, let last = conversation.items.last(where: { !$0.parts.isEmpty && $0.status != .inProgress }) else {
            return false
        }
        return last.text.allSatisfy(\.isWhitespace)
    }

    /// The next chunk of an answer's chat.
    mutating func add(_ chunk: ChatCompletionChunk, to id: String) -> [Action] {
        guard answer?.id == id else { return [] }
        return answer?.add(chunk, to: &conversation).map(Action.send) ?? []
    }

    /// A sentence of an answer begins to sound.
    mutating func begin(sentence: String, of id: String) {
        if answer?.id == id { answer?.begin(sentence: sentence) }
    }

    /// The next sound of an answer, in its format.
    mutating func add(sound: [UInt8], to id: String, at now: ContinuousClock.Instant) -> [Action] {
        guard answer?.id == id, !sound.isEmpty else { return [] }
        soundBegan = soundBegan ?? now
        return answer?.add(sound: sound).map(Action.send) ?? []
    }

    /// All of an answer has come, or why the rest will not.
    mutating func finish(_ id: String, failure: APIError? = nil, at now: ContinuousClock.Instant) -> [Action] {
        guard var answer, answer.id == id else { return [] }
        let events =
            if let failure { answer.close(.failed, error: failure, &conversation) } else { answer.end(&conversation) }
        self.answer = nil
        var actions = events.map(Action.send)
        if owesAnswer {
            actions += answerTurn()
        } else if let timeout = session.audio.input.turnDetection?.idleTimeout, turnID == nil {
            let playing = soundBegan.map { answer.spoken.length - Int($0.duration(to: now) / .milliseconds(1)) } ?? 0
            actions.append(.wait(max(0, playing) + timeout))
        }
        return actions
    }

    /// Nobody has said anything for the session's idle time.
    mutating func idle(at now: ContinuousClock.Instant) -> [Action] {
        guard answer == nil, turnID == nil, session.audio.input.turnDetection?.idleTimeout != nil else { return [] }
        let id = RequestID.make("item_", digits: 24)
        let event = RealtimeEvents.event(
            "input_audio_buffer.timeout_triggered",
            [("audio_start_ms", .int(input.start)), ("audio_end_ms", .int(input.end)), ("item_id", .string(id))])
        _ = input.takeAll()
        let actions = [.send(event)] + appendTurn(id, transcript: "")
        guard let plan = try? RealtimePlan(session, in: conversation) else { return actions }
        return actions + begin(plan)
    }
}
