import OmniAPI
import OmniEngine
import OmniLlama

extension BatchLoop {
    /// Turns requests into sequences at the end of the queue.
    func enqueue(_ requests: [GenerationRequest]) {
        for request in requests {
            let group = RequestGroup(request)
            for (place, prompt) in request.prompts.enumerated() {
                for choice in 0..<request.choices {
                    let index = place * request.choices + choice
                    let sampler = TokenSampler(plan: request.plan, prompt: prompt.tokens, endTokens: endTokens, choice: index)
                    let grammar = request.grammars.isEmpty ? nil : request.grammars[index]
                    waiting.append(Sequence(group: group, index: index, prompt: prompt, sampler: sampler, grammar: grammar))
                }
            }
        }
    }

    /// Gives up on requests whose client is gone, wherever they are.
    func dropCancelled() {
        if waiting.contains(where: \.isCancelled) {
            for sequence in waiting where sequence.isCancelled { end(sequence, throwing: CancellationError()) }
        }
        for sequence in running where sequence.isCancelled { end(sequence, throwing: CancellationError()) }
    }

    /// Gives places in the cache to those at the front of the queue. One that waits for another's prefill of the same
    /// beginning lets those behind it pass.
    func admit() {
        var index = 0
        while running.count < maxSequences, index < waiting.count, !isCrowded {
            guard fits(waiting[index]), findsAdapter(waiting[index]) else { break }
            if place(waiting[index]) { running.append(waiting.remove(at: index)) } else { index += 1 }
        }
    }

    /// Gives back the memory of slots that nobody has taken up for long.
    func forgetOldPrefixes() {
        guard let prefixLifetime else { return }
        let old = table.expired(prefixLifetime, now: .now)
        guard !old.isEmpty else { return }
        for slot in old {
            context.clear(slot)
            table.release(slot, keeping: nil)
        }
        meter.endStep(running: running.count, waiting: waiting.count, held: table.tokensHeld, cells: context.cells)
    }

    /// Whether the cells that no running sequence needs are enough for `sequence` and a few tokens of everybody's answer.
    private func fits(_ sequence: Sequence) -> Bool {
        let taken = running.reduce(0) { $0 + $1.ownCells }
        return running.isEmpty || taken + sequence.tokens.count + 16 * (running.count + 1) <= context.cells || !context.isUnified
    }

    /// Whether its adapter finds a place in memory beside those that are used.
    private func findsAdapter(_ sequence: Sequence) -> Bool {
        guard let adapter = sequence.prompt.adapter else { return true }
        let used = Set(running.compactMap(\.prompt.adapter))
        return used.contains(adapter) || used.count < adapters.most
    }

    private func place(_ sequence: Sequence) -> Bool {
        // Of what is in the cache a spoken answer needs the states, too.
        let spoken = sequence.group.request.feed.map { _ in spokenPrefixes.rows(of: sequence.tokens) }
        let limit = sequence.scoresPrompt ? 0 : min(sequence.tokens.count - 1, spoken?.count ?? .max)
        let slot: Int
        sequence.shared = 0
        switch table.placement(for: sequence.prompt, limit: limit, cutsAnywhere: cutsAnywhere) {
        case .afterPrefill, .none: return false
        case .continued(let place, let reuse):
            slot = place
            sequence.evaluated = context.truncate(slot, from: sequence.prompt.position(of: reuse)) ? reuse : 0
            if sequence.evaluated == 0 { context.clear(slot) }
        case .shared(let place, let source, let reuse):
            slot = place
            context.clear(slot)
            context.share(source, with: slot, upTo: sequence.prompt.position(of: reuse))
            table.touch(source)
            sequence.shared = reuse
            sequence.evaluated = reuse
        }
        sequence.slot = slot
        table.occupy(slot, by: sequence)
        if let spoken { feedTalker(cached: spoken, of: sequence) }
        noteAdmission(of: sequence)
        return true
    }

    private func noteAdmission(of sequence: Sequence) {
        let group = sequence.group
        // Answers after the first find their prompt in the cache because the first put it there: that is no reuse.
        if sequence.generated == 0, sequence.index % group.request.choices == 0 {
            group.usage.cachedTokens += sequence.evaluated
            meter.add(cachedTokens: sequence.evaluated)
        }
        if !group.admitted {
            group.admitted = true
            meter.queueWait((ContinuousClock.now - group.request.arrived).seconds)
        }
    }

    /// Ends every sequence of a request with an error.
    func fail(_ group: RequestGroup, _ error: any Error) {
        let open = group.open
        guard open > 0 else { return }
        group.open = 0
        for sequence in running where sequence.group === group { free(sequence, keepsCache: false) }
        running.removeAll { $0.group === group }
        waiting.removeAll { $0.group === group }
        if error is CancellationError { meter.cancelled(leftAt: group.request.departure.time) }
        deliver()
        group.request.feed?.end()
        group.request.events.finish(throwing: error)
        inbox.finished(open, seconds: nil)
    }

    /// An error in one choice ends the whole request.
    func end(_ sequence: Sequence, throwing error: any Error, keepsCache: Bool = true) {
        guard sequence.group.open > 0 else { return }
        if keepsCache { free(sequence, keepsCache: true) }
        fail(sequence.group, error)
    }

    /// Takes a sequence's place away; its tokens stay in the cache for the next prompt that begins alike.
    func free(_ sequence: Sequence, keepsCache: Bool) {
        guard let slot = sequence.slot else { return }
        sequence.slot = nil
        speculator?.forget(sequence)
        isCrowded = false
        if keepsCache, !sequence.rows.isEmpty {
            spokenPrefixes.keep(Array(sequence.rows.prefix(sequence.evaluated)), of: sequence.tokens)
        }
        if keepsCache, sequence.evaluated > 0 {
            var held = sequence.prompt
            held.tokens.removeLast(held.tokens.count - sequence.evaluated)
            held.media.removeAll { $0.places.upperBound > sequence.evaluated }
            table.release(slot, keeping: held)
        } else {
            context.clear(slot)
            table.release(slot, keeping: nil)
        }
    }

    /// The engine is going away.
    func endAll() {
        for sequence in waiting + running { end(sequence, throwing: Inbox.closing) }
        for request in inbox.drain() { request.events.finish(throwing: Inbox.closing) }
        meter.endStep(running: 0, waiting: 0, held: 0, cells: context.cells)
    }
}
