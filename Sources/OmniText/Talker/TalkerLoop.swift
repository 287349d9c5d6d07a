import OmniAPI
import OmniEngine
import OmniLlama

/// The talker's thread: everybody's next code, and pieces of prompts, in one batch over one `llama_context`, which nothing else touches.
final class TalkerLoop {
    private let model: TalkerModel
    private let context: LlamaContext
    private let abortHandle: AbortHandle
    private let mailbox: TalkerMailbox
    private let meter: TalkerMeter
    private let setup: TalkerSetup
    private let batch: VectorBatch
    private let scratch: SamplerScratch
    private var waiting: [TalkerRequest] = []
    private var running: [TalkerSequence] = []

    init(model: TalkerModel, setup: TalkerSetup, abortHandle: AbortHandle, mailbox: TalkerMailbox, meter: TalkerMeter) throws {
        var shape = LlamaContext.Shape(
            cells: setup.length * setup.sequences, sequences: setup.sequences, batch: setup.batch, outputs: setup.sequences,
            threads: setup.threads, unified: false)
        (shape.exactCache, shape.exactAttention) = (setup.isExact, setup.isExact)
        context = try LlamaContext(model: model.model, shape: shape, abortHandle: abortHandle)
        batch = VectorBatch(capacity: setup.batch, width: model.width, axes: 4)
        scratch = SamplerScratch(vocabulary: model.codeCount)
        (self.model, self.setup, self.abortHandle, self.mailbox, self.meter) = (model, setup, abortHandle, mailbox, meter)
    }

    var reservation: MemoryReservation { context.reservation }

    /// Ends when the mailbox is closed.
    func run() {
        var wait = TalkerMailbox.Wait.request
        while let requests = mailbox.take(wait) {
            waiting += requests
            dropCancelled()
            admit()
            meter.note(running: running.count, waiting: waiting.count)
            let entries = compose()
            if !entries.isEmpty { compute(entries) }
            wait = running.isEmpty && waiting.isEmpty ? .request : entries.isEmpty ? .anything : .nothing
            meter.note(running: running.count, waiting: waiting.count)
        }
        for request in waiting + running.map(\.request) + mailbox.drain() { request.codes.finish(.failure(Inbox.closing)) }
        meter.note(running: 0, waiting: 0)
    }

    private func dropCancelled() {
        for sequence in running where sequence.isCancelled { end(sequence, .failure(CancellationError())) }
        for request in waiting where request.cancellation.isCancelled { request.codes.finish(.failure(CancellationError())) }
        waiting.removeAll { $0.cancellation.isCancelled }
    }

    private func admit() {
        for slot in 0..<setup.sequences where !waiting.isEmpty && !running.contains(where: { $0.slot == slot }) {
            running.append(TalkerSequence(waiting.removeFirst(), slot: slot, model: model))
        }
    }

    private func end(_ sequence: TalkerSequence, _ result: Result<Void, any Error>) {
        context.clear(sequence.slot)
        running.removeAll { $0 === sequence }
        sequence.request.codes.finish(result)
    }

    /// Fills the batch, and says who has how many entries from where on. Codes go before prompts.
    private func compose() -> [(sequence: TalkerSequence, first: Int)] {
        batch.clear()
        var entries: [(TalkerSequence, Int)] = []
        for sequence in running.sorted(by: { ($0.codeCount == 0 ? 1 : 0, $0.slot) < ($1.codeCount == 0 ? 1 : 0, $1.slot) }) {
            do { try sequence.gather(room: min(batch.room, setup.length - sequence.length)) } catch {
                end(sequence, .failure(error))
                continue
            }
            if sequence.hasNothingToSay { end(sequence, .success(())) }
            guard let input = sequence.inputs.first else { continue }
            entries.append((sequence, batch.add(input.vector, place: input.place, sequence: sequence.slot, output: input.output)))
            for input in sequence.inputs.dropFirst() {
                batch.add(input.vector, place: input.place, sequence: sequence.slot, output: input.output)
            }
        }
        return entries
    }

    private func compute(_ entries: [(sequence: TalkerSequence, first: Int)]) {
        let owners = entries.map(\.sequence.request.cancellation)
        let start = ContinuousClock.now
        let outcome = abortHandle.run(for: owners, slicing: batch.count > TalkerSetup.slicedRows) { context.decode(batch) }
        guard outcome == .done, !abortHandle.wasAborted else {
            // Abandoned because all have left; or it failed.
            let error: any Error =
                owners.allSatisfy(\.isCancelled)
                ? CancellationError() : APIError(.internalError, "The talker failed to compute (\(outcome)).")
            for entry in entries { end(entry.sequence, .failure(error)) }
            return
        }
        meter.addSeconds((ContinuousClock.now - start).seconds)
        for (sequence, first) in entries {
            sequence.noteFed()
            guard sequence.inputs.last?.output == true, let row = context.logits(at: first + sequence.inputs.count - 1) else { continue }
            guard let code = sequence.choose(row, scratch: scratch) else {
                end(sequence, .success(()))
                continue
            }
            meter.addCode()
            sequence.request.codes.post(code)
            if sequence.codeCount >= sequence.request.maxCodes || sequence.length >= setup.length { end(sequence, .success(())) }
        }
    }
}

/// The sizes that a talker works with.
struct TalkerSetup: Sendable {
    /// A graph of more rows gives others a turn between its layers.
    static let slicedRows = 16

    /// Answers that are spoken at once.
    var sequences: Int
    /// Longest prompt and codes together.
    var length: Int
    /// Vectors of one graph.
    var batch = 256
    var threads: Int
    /// Attention in f32 throughout, in place of f16 keys and values.
    var isExact = false
}
