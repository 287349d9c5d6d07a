import OmniLlama

extension BatchLoop {
    /// The next pieces of prompts, oldest first: as many tokens as keep the step short when others wait for theirs, a full
    /// batch for one when nobody does. Prompts share a batch only while it is short: a graph is abandoned when all whom it
    /// serves have left, not when one of them has.
    func composePrompts() {
        let isAlone = shares.isEmpty
        let chunk = isAlone ? batch.capacity : pace.chunk(for: running.count(where: \.isPrefilling), beside: shares.count)
        var pieces: [(sequence: Sequence, count: Int)] = []
        var taken = 0
        for sequence in running where sequence.isPrefilling {
            let limit = min(isAlone && !pieces.isEmpty ? BatchSetup.sharedPrompts : chunk, batch.room)
            var count = min(sequence.prompt.textRun(from: sequence.evaluated, end: sequence.tokens.count), batch.room - taken)
            // A prompt is not cut for the sake of half a step: it is taken whole, or left to the next step if that can.
            if taken >= limit { break }
            if taken + count > limit * 3 / 2 {
                if taken > 0, count <= chunk || limit - taken <= BatchSetup.cheapTokens { break }
                count = limit - taken
            }
            if sequence.scoresPrompt { count = min(count, BatchSetup.scoredChunk) }
            guard count > 0 else { continue }
            pieces.append((sequence, count))
            taken += count
            if sequence.scoresPrompt { break }
        }
        putEvenly(pieces, spare: batch.room - taken)
    }

    /// With a cache for each sequence, libllama computes pieces of different lengths in several passes, and a pass of few
    /// tokens costs as much as one of ten. So a piece that lacks few tokens to the longest begins that much earlier, where the
    /// cache holds those already.
    private func putEvenly(_ pieces: [(sequence: Sequence, count: Int)], spare: Int) {
        let longest = pieces.lazy.map(\.count).max() ?? 0
        var spare = spare
        for (sequence, count) in pieces {
            let missing = longest - count
            let isWorthIt = missing > 0 && missing <= min(BatchSetup.cheapTokens, spare) && missing < sequence.evaluated
            let mayStepBack = !context.isUnified && cutsAnywhere && sequence.prompt.media.isEmpty && !sequence.scoresPrompt
            guard isWorthIt, mayStepBack, let slot = sequence.slot,
                context.truncate(slot, from: Int32(sequence.evaluated - missing))
            else {
                put(count, of: sequence)
                continue
            }
            sequence.evaluated -= missing
            spare -= missing
            put(count + missing, of: sequence)
        }
    }
}
