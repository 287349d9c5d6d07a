import OmniLlama

extension BatchLoop {
    /// The next pieces of prompts, oldest first: as many tokens as ``PrefillBudget`` has room for when others wait for theirs, a full
    /// batch for one when nobody does. Prompts share a batch only while it is short: a graph is abandoned when all whom it
    /// serves have left, not when one of them has.
    func composePrompts() {
        let active = active
        guard let first = active.first(where: \.isPrefilling) else { return }
        let isAlone = entries.isEmpty && active.count == running.count
        let budget = isAlone ? PrefillBudget.Piece(tokens: batch.capacity, most: batch.capacity) : piece(for: first)
        var pieces: [(sequence: Sequence, count: Int)] = []
        var taken = 0
        for sequence in active where sequence.isPrefilling {
            let shares = isAlone && !pieces.isEmpty
            let limit = min(shares ? BatchSetup.sharedPrompts : budget.tokens, batch.room)
            let most = min(shares ? BatchSetup.sharedPrompts * 3 / 2 : budget.most, batch.room)
            var count = min(sequence.prompt.textRun(from: sequence.evaluated, end: sequence.tokens.count), batch.room - taken)
            // A prompt is not cut for the sake of half a step: it is taken whole, or left to the next step if that can.
            if taken >= limit { break }
            if taken + count > most {
                if taken > 0, count <= budget.tokens || limit - taken <= BatchSetup.cheapTokens { break }
                count = limit - taken
            }
            if sequence.scoresPrompt {
                // Each row has logits then, and so has the last one of everybody else.
                count = min(count, BatchSetup.scoredChunk, outputs - entries.count - pieces.count)
            } else {
                count = leavingLast(count, of: sequence)
            }
            guard count > 0 else { continue }
            pieces.append((sequence, count))
            taken += count
            if sequence.scoresPrompt { break }
        }
        putEvenly(pieces, spare: batch.room - taken)
    }

    /// Leaves a prompt's last token to a step of its own, where its numbers would depend on the piece that it ends: so they are the same
    /// as when all before it was cached. Attention computes pieces of many rows otherwise than few (``BatchSetup/fewRows``), and one row
    /// among many cells otherwise than several.
    private func leavingLast(_ count: Int, of sequence: Sequence) -> Int {
        let ends = sequence.evaluated + count == sequence.tokens.count
        let matters = sequence.group.request.plan.isRepeatable && sequence.tokens.count > BatchSetup.fewRows
        return ends && matters && count > 1 ? count - 1 : count
    }

    /// What the step may have of prompts, the oldest of which is `sequence`.
    private func piece(for sequence: Sequence) -> PrefillBudget.Piece {
        let decoding = entries.map { batchPiece(of: $0) }
        func prompt(_ tokens: Int) -> BatchPass.Piece { BatchPass.Piece(slot: sequence.slot ?? 0, count: tokens, held: sequence.evaluated) }
        return budget.piece(
            for: active.count(where: \.isPrefilling), capacity: batch.room,
            passes: { passes(of: $0 > 0 ? decoding + [prompt($0)] : decoding) }, alone: { passes(of: [prompt($0)]) })
    }

    func batchPiece(of entry: BatchEntry) -> BatchPass.Piece {
        BatchPass.Piece(slot: entry.sequence.slot ?? 0, count: entry.count, held: entry.sequence.evaluated)
    }

    /// How libllama computes these pieces.
    func passes(of pieces: [BatchPass.Piece]) -> [BatchPass] {
        context.isUnified ? BatchPass.unified(pieces, cells: table.tokensHeld) : BatchPass.split(pieces)
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
