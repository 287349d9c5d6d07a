import CLlamaChat
import Foundation
import OmniAPI
import OmniEngine
import OmniLlama

/// A small model that guesses for a larger one, with a cache of its own in which it reads along. Owned by the engine's thread.
final class DraftModel: Drafter {
    private struct Slot {
        var owner: ObjectIdentifier?
        var held: [Token] = []
    }

    private let context: LlamaContext
    private let vocabulary: Int
    private let abortHandle: AbortHandle
    private let batch: TokenBatch
    private let maxLength: Int
    private var slots: [Slot]
    private var cost = StepCost()
    /// Tokens of a text that are read in a step: others wait meanwhile.
    private static let piece = 256
    /// Below this chance a token is not worth being checked, nor those after it.
    private static let leastChance = 0.3

    /// `vocabulary`: the number of tokens of the model that checks; guesses beyond are none. Throws ``APIError`` where there is no memory.
    init(model: LlamaModel, vocabulary: Int, maxLength: Int, sequences: Int, options: TextEngineOptions, abortHandle: AbortHandle) throws {
        let length = min(maxLength, max(model.trainedContextLength, 1))
        let affordable = options.cacheBytes / max(ContextPlan.cacheBytesPerToken(of: model), 1)
        let shape = LlamaContext.Shape(
            cells: max(length, min(length * sequences, affordable)), sequences: sequences, batch: Self.piece, outputs: max(sequences, 1),
            threads: options.threadCount, unified: true)
        context = try LlamaContext(model: model, shape: shape, abortHandle: abortHandle)
        self.vocabulary = min(vocabulary, Vocabulary(of: model)?.count ?? 0)
        self.abortHandle = abortHandle
        self.maxLength = length
        batch = TokenBatch(capacity: Self.piece)
        slots = Array(repeating: Slot(), count: sequences)
    }

    var reservation: MemoryReservation { context.reservation }

    func takes(_ sequence: Sequence) -> Bool {
        guard sequence.prompt.media.isEmpty, sequence.tokens.count + SpeculativeConfig.mostTokens < maxLength else { return false }
        let held = slots.first { $0.owner == ObjectIdentifier(sequence) }?.held.count ?? 0
        let missing = sequence.tokens.count - held
        return missing <= 64 || missing <= 8 * (sequence.group.request.maxTokens - sequence.generated)
    }

    func time(_ counts: [Int]) -> Double {
        let cells = slots.reduce(0) { $0 + $1.held.count }
        return (0..<(counts.max() ?? 0)).reduce(0) { seconds, step in
            seconds + cost.time(of: [BatchPass(rows: counts.count { $0 > step }, cells: cells)])
        }
    }

    func forget(_ sequence: Sequence) {
        if let slot = slots.firstIndex(where: { $0.owner == ObjectIdentifier(sequence) }) { slots[slot].owner = nil }
    }

    func draft(_ wanted: [(sequence: Sequence, count: Int)]) -> [[Token]] {
        var found = wanted.map { _ in [Token]() }
        var readers = readAlong(wanted.map(\.sequence))
        let owners = wanted.map(\.sequence.group.request.scope.cancellation)
        while batch.count > 0, decode(for: owners) {
            var further: [(index: Int, slot: Int, row: Int)] = []
            let read = readers.compactMap { reader in likeliest(at: reader.row).map { (reader, $0) } }
            batch.clear()
            for (reader, token) in read {
                found[reader.index].append(token)
                guard found[reader.index].count < wanted[reader.index].count else { continue }
                let row = batch.add(token, position: Int32(slots[reader.slot].held.count), sequence: reader.slot, output: true)
                slots[reader.slot].held.append(token)
                further.append((reader.index, reader.slot, row))
            }
            readers = further
        }
        return found
    }

    /// Fills the batch with what the model has not read yet of each text. Returns who is up to its end then, and where its logits are.
    private func readAlong(_ sequences: [Sequence]) -> [(index: Int, slot: Int, row: Int)] {
        batch.clear()
        var readers: [(index: Int, slot: Int, row: Int)] = []
        for (index, sequence) in sequences.enumerated() {
            guard let slot = place(of: sequence) else { continue }
            let tokens = sequence.tokens
            let common = commonPrefix(slots[slot].held, slots[slot].held.count, tokens, tokens.count - 1)
            if common < slots[slot].held.count {
                guard context.truncate(slot, from: Int32(common)) else { continue }
                slots[slot].held.removeLast(slots[slot].held.count - common)
            }
            let end = min(common + batch.room, tokens.count)
            var row = 0
            for place in common..<max(end, common) {
                row = batch.add(tokens[place], position: Int32(place), sequence: slot, output: place == tokens.count - 1)
                slots[slot].held.append(tokens[place])
            }
            if end == tokens.count { readers.append((index, slot, row)) }
        }
        return readers
    }

    /// The slot of `sequence`: its own, or a free one that holds the most of its beginning.
    private func place(of sequence: Sequence) -> Int? {
        let owner = ObjectIdentifier(sequence)
        if let slot = slots.firstIndex(where: { $0.owner == owner }) { return slot }
        let tokens = sequence.tokens
        func common(_ slot: Int) -> Int { commonPrefix(slots[slot].held, slots[slot].held.count, tokens, tokens.count) }
        guard let slot = slots.indices.filter({ slots[$0].owner == nil }).max(by: { common($0) < common($1) }) else { return nil }
        slots[slot].owner = owner
        return slot
    }

    /// False when it brought nothing; the cache is empty then.
    private func decode(for owners: [CancellationToken]) -> Bool {
        let pass = BatchPass(rows: batch.count, cells: slots.reduce(0) { $0 + $1.held.count })
        var start = ContinuousClock.now
        let outcome = abortHandle.run(for: owners, slicing: batch.count > PrefillBudget.slicedRows) {
            start = .now
            return context.decode(batch)
        }
        guard outcome == .done, !abortHandle.wasAborted else {
            context.clearAll()
            for slot in slots.indices { slots[slot].held = [] }
            return false
        }
        cost.record((ContinuousClock.now - start).seconds, passes: [pass])
        return true
    }

    private func likeliest(at row: Int) -> Token? {
        guard let logits = context.logits(at: row) else { return nil }
        // Of a larger vocabulary only what both know.
        let token = omni_argmax(logits, Int32(vocabulary))
        let chance = exp(Double(logits[Int(token)]) - omni_logsumexp(logits, Int32(vocabulary)))
        return chance >= Self.leastChance ? token : nil
    }
}

extension Vocabulary {
    /// Tokens that two models may differ by: some have places that are never used.
    private static let unused = 128

    /// Throws ``APIError`` where `draft` means other texts by the same tokens.
    func check(draft: Vocabulary, path: String) throws {
        let shared = min(count, draft.count)
        let differs = (0..<Token(shared)).first { name(of: $0) != draft.name(of: $0) }
        guard differs != nil || abs(count - draft.count) > Self.unused else { return }
        let what =
            differs.map { "its token \($0) is `\(draft.name(of: $0))`, the model's `\(name(of: $0))`" }
            ?? "it has \(draft.count) tokens, the model \(count)"
        throw APIError(
            .internalError, "The draft model \(path) has another vocabulary: \(what).", remedy: "Use a smaller model of the same family.")
    }
}
