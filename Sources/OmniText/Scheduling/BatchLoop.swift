import OmniAPI
import OmniEngine
import OmniLlama

/// The engine's thread: continuous batching over one `llama_context`, which nothing else touches.
final class BatchLoop {
    let context: LlamaContext
    let vocabulary: Vocabulary
    let inbox: Inbox
    let meter: TextMeter
    let brake: Brake
    let maxSequences: Int
    let maxLength: Int
    let endTokens: [Token]
    let isEnd: Set<Token>
    let scratch: SamplerScratch
    let encoder: MediaEncoder?
    let cutsAnywhere: Bool

    /// Taken from the inbox, first come first served; not in the cache yet.
    var waiting: [Sequence] = []
    /// In the cache, oldest first.
    var running: [Sequence] = []
    var table: SlotTable
    /// A sequence had to give its place back: nobody new comes in until one has left.
    var isCrowded = false
    /// Media and text take turns.
    var mediumHadItsTurn = false
    var pace = Pace()
    /// Steps that a gap between running slots has lasted.
    private var gapAge = 0
    var pieces: PieceTable
    var specialPieces: PieceTable

    /// What the step has to say, handed over at its end: the threads that write it to clients take cores from the next graph,
    /// and are woken once for all sequences.
    var outbox: [(to: GenerationRequest.Events.Continuation, Message)] = []

    enum Message {
        case event(TextEvent)
        case end
    }

    let batch: TokenBatch
    /// Who put how many tokens into the batch, and the batch index of each output.
    var shares: [Share] = []

    struct Share {
        let sequence: Sequence
        let count: Int
        /// Batch index of the first of `count` tokens.
        let first: Int
    }

    init(context: LlamaContext, vocabulary: Vocabulary, encoder: MediaEncoder?, brake: Brake, inbox: Inbox, meter: TextMeter, setup: BatchSetup) {
        self.context = context
        self.vocabulary = vocabulary
        self.encoder = encoder
        self.brake = brake
        self.inbox = inbox
        self.meter = meter
        maxSequences = setup.maxSequences
        maxLength = setup.maxLength
        // A recurrent state cannot be moved.
        table = SlotTable(count: setup.slots, keepsTogether: !context.isUnified && !context.model.hasRecurrentState)
        batch = TokenBatch(capacity: setup.batch)
        endTokens = vocabulary.endTokens()
        isEnd = Set(endTokens)
        scratch = SamplerScratch(vocabulary: vocabulary.count)
        pieces = PieceTable(vocabulary, special: false)
        specialPieces = PieceTable(vocabulary, special: true)
        cutsAnywhere = !context.model.hasRecurrentState
    }

    /// Collect, fill a batch with everybody's next token and a piece of a prompt, compute, sample, emit. Ends when the
    /// inbox is closed.
    func run() {
        while let requests = inbox.take(idle: running.isEmpty && waiting.isEmpty) {
            meter.beginStep()
            enqueue(requests)
            dropCancelled()
            admit()
            meter.note(running: running.count, waiting: waiting.count)
            if !computeMedium() {
                closeGap()
                composeDecodes()
                composePrompts()
                if compute() { sampleAndEmit() }
            }
            deliver()
            meter.endStep(running: running.count, waiting: waiting.count, held: table.tokensHeld, cells: context.cells)
        }
        endAll()
    }

    /// One token through the model, so that the first request does not pay for waking threads and touching memory.
    func warmUp() {
        batch.clear()
        batch.add(vocabulary.beginning ?? 0, position: 0, sequence: 0, output: true)
        _ = brake.run(for: [], slicing: false) { context.decode(batch) }
        context.clearAll()
    }

    // MARK: Compose

    /// One token of every sequence that is past its prompt, in the order of their slots: with a cache for each, libllama
    /// computes only neighbours together.
    private func composeDecodes() {
        batch.clear()
        shares.removeAll(keepingCapacity: true)
        let decoding = running.filter { $0.pending == 1 }.sorted { ($0.slot ?? 0) < ($1.slot ?? 0) }
        for sequence in decoding where batch.room > 0 { put(1, of: sequence) }
    }

    /// A gap between running slots costs one more pass over the weights for each token. One that no newcomer fills is closed
    /// by moving the last sequence there, which costs a copy of its part of the cache, once.
    private func closeGap() {
        guard let gap = table.gap, let sequence = table.slots[gap.last].owner else { return gapAge = 0 }
        gapAge += 1
        guard gapAge >= 8 else { return }
        gapAge = 0
        context.move(gap.last, to: gap.empty)
        table.move(gap.last, to: gap.empty)
        sequence.slot = gap.empty
    }

    func put(_ count: Int, of sequence: Sequence) {
        guard let slot = sequence.slot else { return }
        shares.append(Share(sequence: sequence, count: count, first: batch.count))
        for index in sequence.evaluated..<sequence.evaluated + count {
            let isLast = index == sequence.tokens.count - 1
            batch.add(
                sequence.prompt.tokens[index], position: sequence.prompt.position(of: index), sequence: slot,
                output: isLast || sequence.scoresPrompt)
        }
    }

    // MARK: Compute

    /// Runs the batch. False when it brought nothing: aborted, or put off because the cache is full.
    private func compute() -> Bool {
        guard batch.count > 0 else { return false }
        let prompt = shares.reduce(0) { $0 + ($1.count > 1 ? $1.count : 0) }
        var start = ContinuousClock.now
        let outcome = brake.run(for: shares.map(\.sequence.group.request.scope.cancellation), slicing: prompt > Pace.range.lowerBound) {
            // The wait for the lane is no work of ours.
            start = .now
            return context.decode(batch)
        }
        if brake.wasPulled || outcome == .aborted { return resynchronize() }
        switch outcome {
        case .done:
            pace.record(seconds: (ContinuousClock.now - start).seconds, decoded: batch.count - prompt, prompt: prompt)
            for share in shares { share.sequence.evaluated += share.count }
            meter.add(promptTokens: prompt)
            return true
        case .full:
            makeRoom()
            return false
        case .failed(let status):
            let error = APIError(.internalError, "The model failed to compute (llama_decode returned \(status)).", remedy: "Try again; the server's log has the reason.")
            for share in shares { end(share.sequence, throwing: error) }
            return false
        case .aborted: return false
        }
    }

    /// After an aborted graph: every sequence in it is cancelled, and what the cache holds of them is not to be trusted.
    private func resynchronize() -> Bool {
        for share in shares { end(share.sequence, throwing: CancellationError(), keepsCache: false) }
        return false
    }

    /// The cache is full: forget the oldest finished answer; when there is none left, put the youngest sequence back into
    /// the queue, to be computed again later; a sequence that is alone ends here.
    func makeRoom() {
        if let slot = table.oldestIdle() {
            context.clear(slot)
            table.release(slot, keeping: nil)
        } else if running.count > 1, let youngest = running.last {
            running.removeLast()
            if let slot = youngest.slot {
                context.clear(slot)
                table.release(slot, keeping: nil)
            }
            youngest.slot = nil
            isCrowded = true
            youngest.evaluated = 0
            waiting.insert(youngest, at: 0)
            meter.countPreemption()
        } else if let last = running.first {
            finish(last, .length, stopReason: .null)
        }
    }
}

/// The sizes that a loop works with.
struct BatchSetup: Sendable {
    /// Most prompt tokens in a step that reports their logprobs: each costs a row of logits.
    static let scoredChunk = 64
    /// Prompt tokens of several requests that are computed together, and half as many again to take a prompt whole: one that leaves
    /// meanwhile is computed to the batch's end.
    static let sharedPrompts = 256
    /// Prompt tokens that are sooner computed than given a pass of their own.
    static let cheapTokens = 8

    var maxSequences: Int
    var slots: Int
    var batch: Int
    /// Longest prompt and answer together, tokens.
    var maxLength: Int
}

extension Sequence {
    var scoresPrompt: Bool { group.request.scoresPrompt && evaluated < promptCount && generated == 0 }
}
