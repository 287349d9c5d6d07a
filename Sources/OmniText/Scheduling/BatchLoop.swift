import OmniAPI
import OmniEngine
import OmniLlama

/// The engine's thread: continuous batching over one `llama_context`, which nothing else touches.
final class BatchLoop {
    let context: LlamaContext
    let vocabulary: Vocabulary
    let inbox: Inbox
    let meter: TextMeter
    let abortHandle: AbortHandle
    let maxSequences: Int
    let maxLength: Int
    /// How long an idle slot keeps its tokens; nil keeps them until the slot is needed.
    let prefixLifetime: Duration?
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
    var mediaHadTheirTurn = false
    var budget = PrefillBudget()
    /// Guesses the next tokens; nil where that is off, or this model's memory cannot forget a wrong guess.
    var speculator: Speculator?
    /// Adapters of the model; a batch holds sequences of one.
    let adapters: AdapterShelf
    private var turns = AdapterTurns()
    /// Rows of logits that a batch may ask for.
    let outputs: Int
    /// With guesses the last batch had no room in the cache.
    var computesNoGuesses = false
    /// The vectors of tokens, where answers can be spoken.
    var words: TalkerModel?
    /// libllama keeps the states of a batch.
    var keepsStates = false
    var spokenPrefixes = SpokenPrefixes()
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
    var entries: [BatchEntry] = []

    struct BatchEntry {
        let sequence: Sequence
        /// Its rows, guesses among them.
        let count: Int
        /// Batch index of the first of `count` tokens.
        let first: Int
        /// Tokens at the end that are no part of the sequence yet.
        var guessed: [Token] = []
        /// The place in the sequence that follows the last row.
        let end: Int

        /// Rows of a prompt, whose last one may come alone; further answers to one prompt compute that again.
        var promptTokens: Int {
            let endsPrompt = end == sequence.promptCount && sequence.index % sequence.group.request.choices == 0
            return guessed.isEmpty && (count > 1 || endsPrompt) ? count : 0
        }
    }

    init(
        context: LlamaContext, vocabulary: Vocabulary, encoder: MediaEncoder?, abortHandle: AbortHandle, inbox: Inbox, meter: TextMeter,
        setup: BatchSetup
    ) {
        self.context = context
        self.vocabulary = vocabulary
        self.encoder = encoder
        self.abortHandle = abortHandle
        self.inbox = inbox
        self.meter = meter
        maxSequences = setup.maxSequences
        maxLength = setup.maxLength
        outputs = setup.outputs
        prefixLifetime = setup.prefixLifetime
        // A recurrent state cannot be moved.
        table = SlotTable(count: setup.slots, keepsTogether: !context.isUnified && !context.model.hasRecurrentState)
        batch = TokenBatch(capacity: setup.batch)
        endTokens = vocabulary.endTokens()
        isEnd = Set(endTokens)
        scratch = SamplerScratch(vocabulary: vocabulary.count)
        adapters = AdapterShelf(context: context, most: setup.adapters)
        pieces = PieceTable(vocabulary, special: false)
        specialPieces = PieceTable(vocabulary, special: true)
        cutsAnywhere = !context.model.hasRecurrentState
    }

    /// Collect, fill a batch with everybody's next token and a piece of a prompt, compute, sample, emit. Ends when the
    /// inbox is closed.
    func run() {
        while let requests = inbox.take(idle: running.isEmpty && waiting.isEmpty, until: prefixLifetime.flatMap(table.nextExpiry)) {
            forgetOldPrefixes()
            if requests.isEmpty, running.isEmpty, waiting.isEmpty { continue }
            meter.beginStep()
            enqueue(requests)
            dropCancelled()
            admit()
            takeTurns()
            meter.note(running: running.count, waiting: waiting.count)
            if !encodeMedia() {
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
        _ = abortHandle.run(for: [], slicing: false) { context.decode(batch) }
        context.clearAll()
    }

    /// The sequences that the next batch may hold.
    var active: [Sequence] { running.filter { $0.prompt.adapter == adapters.current } }

    /// Chooses the adapter of the next batch. One that cannot be loaded ends the requests for it.
    private func takeTurns() {
        while true {
            let next = turns.next(among: running.map(\.prompt.adapter), now: .now)
            do { return try adapters.use(next) } catch {
                for sequence in running where sequence.prompt.adapter == next { end(sequence, throwing: error) }
            }
        }
    }

    // MARK: Compose

    /// One token of every sequence that is past its prompt, in the order of their slots: with a cache for each, libllama
    /// computes only neighbours together.
    private func composeDecodes() {
        batch.clear()
        entries.removeAll(keepingCapacity: true)
        let decoding = active.filter { $0.pending == 1 }.sorted { ($0.slot ?? 0) < ($1.slot ?? 0) }
        for (sequence, guessed) in zip(decoding, guesses(for: decoding)) where batch.room > 0 { put(1, of: sequence, guessed: guessed) }
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

    /// Puts the next `count` tokens of `sequence` into the batch, and what may follow them.
    func put(_ count: Int, of sequence: Sequence, guessed: [Token] = []) {
        guard let slot = sequence.slot else { return }
        let end = sequence.evaluated + count + guessed.count
        entries.append(BatchEntry(sequence: sequence, count: count + guessed.count, first: batch.count, guessed: guessed, end: end))
        for index in sequence.evaluated..<sequence.evaluated + count {
            let isLast = index == sequence.tokens.count - 1
            batch.add(
                sequence.prompt.tokens[index], position: sequence.prompt.position(of: index), sequence: slot,
                output: isLast || sequence.scoresPrompt)
        }
        for (offset, token) in guessed.enumerated() {
            let index = sequence.evaluated + count + offset
            batch.add(token, position: sequence.prompt.position(of: index), sequence: slot, output: true)
        }
    }

    // MARK: Compute

    /// Runs the batch. False when it brought nothing: aborted, or put off because the cache is full.
    private func compute() -> Bool {
        guard batch.count > 0 else { return false }
        let guessed = entries.reduce(0) { $0 + $1.guessed.count }
        let prompt = entries.reduce(0) { $0 + $1.promptTokens }
        let passes = passes(of: entries.map { batchPiece(of: $0) })
        var start = ContinuousClock.now
        let owners = entries.map(\.sequence.group.request.scope.cancellation)
        keepStates(entries.contains { $0.sequence.group.request.feed != nil })
        let outcome = abortHandle.run(for: owners, slicing: prompt + guessed > PrefillBudget.slicedRows) {
            // The wait for the lane is no work of ours.
            start = .now
            return context.decode(batch)
        }
        if abortHandle.wasAborted || outcome == .aborted { return resynchronize() }
        switch outcome {
        case .done:
            budget.record((ContinuousClock.now - start).seconds, passes: passes)
            for entry in entries { entry.sequence.evaluated += entry.count - entry.guessed.count }
            meter.add(promptTokens: prompt)
            for entry in entries { feedTalker(entry) }
            return true
        case .full where guessed > 0:
            computesNoGuesses = true
            return false
        case .full:
            makeRoom()
            return false
        case .failed(let status):
            let error = APIError(
                .internalError, "The model failed to compute (llama_decode returned \(status)).",
                remedy: "Try again; the server's log has the reason.")
            for entry in entries { end(entry.sequence, throwing: error) }
            return false
        case .aborted: return false
        }
    }

    /// After an aborted graph: every sequence in it is cancelled, and what the cache holds of them is not to be trusted.
    private func resynchronize() -> Bool {
        for entry in entries { end(entry.sequence, throwing: CancellationError(), keepsCache: false) }
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
            speculator?.forget(youngest)
            isCrowded = true
            youngest.evaluated = 0
            youngest.promptScores = []
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
    /// Rows of a sequence in a pass up to which ggml's attention for the CPU gives each the same numbers, however many there are.
    static let fewRows = 63
    /// Prompt tokens that are sooner computed than given a pass of their own.
    static let cheapTokens = 8

    var maxSequences: Int
    var slots: Int
    var batch: Int
    /// Rows of logits that a batch may ask for.
    var outputs: Int
    /// Longest prompt and answer together, tokens.
    var maxLength: Int
    /// How long an idle slot keeps its tokens; nil keeps them until the slot is needed.
    var prefixLifetime: Duration?
    /// Adapters in memory.
    var adapters = 1
}

extension Sequence {
    var scoresPrompt: Bool { group.request.scoresPrompt && evaluated < promptCount && generated == 0 }
}
