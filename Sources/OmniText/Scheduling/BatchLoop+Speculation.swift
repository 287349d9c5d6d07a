import OmniEngine
import OmniLlama

extension BatchLoop {
    /// Guesses at what follows the next token of each of `decoding`; none in steps that read prompts, which cost enough, nor before an
    /// answer's first token.
    func guesses(for decoding: [Sequence]) -> [[Token]] {
        let none = decoding.map { _ in [Token]() }
        defer { computesNoGuesses = false }
        guard let speculator, !decoding.isEmpty, !computesNoGuesses, !active.contains(where: \.isPrefilling) else { return none }
        let rows = (min(batch.capacity, outputs) - decoding.count) / decoding.count
        let limits = decoding.map { sequence in
            // An answer that is spoken comes as fast as it can be said.
            guard sequence.generated > 0, sequence.slot != nil, sequence.group.request.feed == nil else { return 0 }
            let left = min(sequence.group.request.maxTokens - sequence.generated, maxLength - sequence.tokens.count)
            return max(min(speculator.maxTokens, left - 1, rows), 0)
        }
        guard limits.contains(where: { $0 > 0 }) else { return none }
        return speculator.guesses(for: decoding, limits: limits) { counts in
            budget.cost.time(
                of: passes(
                    of: zip(decoding, counts).map { sequence, count in
                        BatchPass.Piece(slot: sequence.slot ?? 0, count: count + 1, held: sequence.evaluated)
                    }))
        }
    }

    /// Takes a sequence's next tokens from the logits of its last token and of its guesses, as long as these come true. Each token is
    /// drawn as it would be without guesses, from the model's logits after the same tokens, so that nothing but time is different.
    func sampleGuessed(_ entry: BatchEntry, slot: Int) {
        let sequence = entry.sequence
        let first = entry.first + entry.count - entry.guessed.count - 1
        guard let row = context.logits(at: first) else { return }
        sample(sequence, row, guessed: entry.guessed.first)
        var right = 0
        while right < entry.guessed.count, sequence.tokens.last == entry.guessed[right] {
            right += 1
            // It has ended: what it holds of the cache was settled.
            guard sequence.slot != nil else { break }
            sequence.evaluated += 1
            guard let row = context.logits(at: first + right) else { break }
            sample(sequence, row, guessed: right < entry.guessed.count ? entry.guessed[right] : nil)
        }
        guard !entry.guessed.isEmpty else { return }
        meter.addDraft(tokens: entry.guessed.count, accepted: right)
        if sequence.evaluated < entry.end { dropTail(of: sequence, in: slot) }
    }

    /// Forgets the guesses that did not come true.
    private func dropTail(of sequence: Sequence, in slot: Int) {
        guard !context.truncate(slot, from: sequence.prompt.position(of: sequence.evaluated)) else { return }
        // Cannot be, since it was tried at start; then all of it is computed again.
        context.clear(slot)
        sequence.evaluated = 0
        if sequence.slot == nil { table.release(slot, keeping: nil) }
    }

    /// Whether this memory can forget its last token alone, which a recurrent state cannot. Leaves it empty.
    func canDropTails() -> Bool {
        guard cutsAnywhere else { return false }
        let token = vocabulary.beginning ?? 0
        batch.clear()
        for position in 0..<Int32(2) { batch.add(token, position: position, sequence: 0, output: position == 1) }
        let outcome = abortHandle.run(for: [], slicing: false) { context.decode(batch) }
        defer { context.clearAll() }
        return outcome == .done && context.truncate(0, from: 1) && context.nextPosition(of: 0) == 1
    }
}
