import OmniAPI
import OmniEngine
import OmniLlama

extension BatchLoop {
    /// Draws the next token of every sequence whose tokens are all evaluated.
    func sampleAndEmit() {
        for entry in entries {
            let sequence = entry.sequence
            if sequence.group.request.scoresPrompt, sequence.evaluated <= sequence.promptCount, sequence.generated == 0 { score(entry) }
            guard sequence.pending == 0, let slot = sequence.slot else { continue }
            if sequence.generated == 0 { sendEcho(of: sequence) }
            sampleGuessed(entry, slot: slot)
        }
    }

    /// Draws the next token from a row of logits. `guessed`: what was guessed that it would be.
    func sample(_ sequence: Sequence, _ row: UnsafeMutablePointer<Float>, guessed: Token? = nil) {
        let request = sequence.group.request
        let plan = request.plan
        guard sequence.generated < request.maxTokens, sequence.tokens.count < maxLength else {
            return finish(sequence, .length, stopReason: .null)
        }
        guard let token = sequence.sampler.next(row, scratch: scratch, grammar: sequence.grammar) else {
            return finish(sequence, .stop, stopReason: .null)
        }
        sequence.sampler.accept(token)
        sequence.prompt.tokens.append(token)
        sequence.group.usage.completionTokens += 1
        if let guessed { sequence.group.countPrediction(wasRight: guessed == token) }
        meter.addGenerated()
        noteFirstToken(of: sequence)
        if let count = plan.logprobs {
            sequence.heldLogprobs.append(TokenLogprob(of: token, row: row, count: count, scratch: scratch, pieces: &specialPieces))
        }

        let isEnd = isEnd.contains(token) && !plan.ignoreEnd
        let isStop = plan.stopTokens.contains(token)
        let reachedMinimum = sequence.generated >= plan.minTokens
        if (isEnd || isStop) && reachedMinimum {
            if isStop && plan.includeStop { send(sequence.assembler.add(specialPieces[token]).text, of: sequence) }
            return finish(sequence, .stop, stopReason: isStop && !isEnd ? .int(Int(token)) : .null)
        }
        if let grammar = sequence.grammar, !self.isEnd.contains(token), !grammar.accept(token) {
            return finish(sequence, .stop, stopReason: .null)
        }

        let showsSpecial = !plan.skipSpecialTokens || request.preserved.contains(token)
        let output = sequence.assembler.add(showsSpecial ? specialPieces[token] : pieces[token], mayStop: reachedMinimum)
        send(output.text, of: sequence)
        if let stop = output.stop {
            finish(sequence, .stop, stopReason: request.templateStops.contains(stop) ? .null : .string(stop))
        } else if sequence.generated >= request.maxTokens || sequence.tokens.count >= maxLength {
            finish(sequence, .length, stopReason: .null)
        }
    }

    private func post(_ event: TextEvent, to group: RequestGroup) { outbox.append((group.request.events, .event(event))) }

    /// Hands over what the step had to say.
    func deliver() {
        for (events, message) in outbox {
            switch message {
            case .event(let event): events.yield(event)
            case .end: events.finish()
            }
        }
        outbox.removeAll(keepingCapacity: true)
    }

    /// Logprobs travel with the text of their tokens, so text that is held back holds them back too.
    private func send(_ text: String, of sequence: Sequence) {
        guard !text.isEmpty else { return }
        if sequence.group.request.countsTokens { post(.progress(sequence.group.usage), to: sequence.group) }
        post(.text(index: sequence.index, text, logprobs: sequence.heldLogprobs), to: sequence.group)
        sequence.heldLogprobs.removeAll(keepingCapacity: true)
    }

    /// Ends one choice; the last one ends the request.
    func finish(_ sequence: Sequence, _ reason: FinishReason, stopReason: JSONValue) {
        let group = sequence.group
        // After a stop text nothing is held; otherwise the tail turned out to be harmless.
        let tail = sequence.assembler.finish()
        if group.request.countsTokens { post(.progress(group.usage), to: group) }
        if !tail.isEmpty || !sequence.heldLogprobs.isEmpty {
            post(.text(index: sequence.index, tail, logprobs: sequence.heldLogprobs), to: group)
        }
        post(.finished(index: sequence.index, reason, stopReason: stopReason), to: group)
        free(sequence, keepsCache: true)
        running.removeAll { $0 === sequence }
        group.open -= 1
        if group.open == 0 {
            group.request.feed?.end()
            post(.usage(group.usage), to: group)
            outbox.append((group.request.events, .end))
        }
        let seconds = (ContinuousClock.now - group.request.arrived).seconds
        if group.open == 0 { meter.requestDone(seconds, reason) }
        inbox.finished(1, seconds: seconds)
    }

    private func noteFirstToken(of sequence: Sequence) {
        guard !sequence.group.answered else { return }
        sequence.group.answered = true
        meter.firstToken((ContinuousClock.now - sequence.group.request.arrived).seconds)
    }

    // MARK: Echo

    /// The prompt's own text, where the client wants it before the answer.
    private func sendEcho(of sequence: Sequence) {
        guard sequence.group.request.echo else { return }
        var bytes: [UInt8] = []
        for token in sequence.tokens { bytes += pieces[token] }
        post(.text(index: sequence.index, String(decoding: bytes, as: UTF8.self), logprobs: sequence.promptScores), to: sequence.group)
        sequence.promptScores = []
    }

    /// The row of one prompt token tells how likely the next one was.
    private func score(_ entry: BatchEntry) {
        let sequence = entry.sequence
        let begin = sequence.evaluated - entry.count
        let count = sequence.group.request.plan.logprobs ?? 0
        if begin == 0, let first = sequence.tokens.first {
            let bytes = specialPieces[first]
            sequence.promptScores.append(TokenLogprob(token: String(decoding: bytes, as: UTF8.self), logprob: .nan, bytes: bytes))
        }
        for offset in 0..<entry.count where begin + offset + 1 < sequence.promptCount {
            guard let row = context.logits(at: entry.first + offset) else { continue }
            let next = sequence.tokens[begin + offset + 1]
            sequence.promptScores.append(TokenLogprob(of: next, row: row, count: count, scratch: scratch, pieces: &specialPieces))
        }
    }
}
