import OmniAPI
import OmniEngine
import OmniLlama
import Synchronization

/// A model whose states become one row of numbers for each text, with the thread that computes them.
final class PoolingRunner: Sendable {
    let model: LlamaModel
    let framing: TextFraming
    let reservation: MemoryReservation
    private let queue: PoolingQueue
    private let thread: EngineThread

    /// Blocks while the context is made. `classes`: the head's numbers, where the file does not say itself how it pools.
    init(model: LlamaModel, options: TextEngineOptions, lane: any ComputeLane, width: Int, classes: Bool = false) throws {
        guard let vocabulary = Vocabulary(of: model) else {
            throw APIError(.internalError, "The model file \(model.path) has no vocabulary.")
        }
        // A text is read in one batch, whose buffers grow with it: a longer one has to be asked for.
        let length = max(min(options.maxModelLength ?? 2048, model.trainedContextLength), 1)
        let abortHandle = AbortHandle(lane: lane)
        let queue = PoolingQueue(maxQueue: options.maxQueue)
        let reserved = Reserved()
        self.model = model
        self.queue = queue
        framing = TextFraming(vocabulary: vocabulary, maxLength: length, template: PairTemplate(of: model))
        thread = try EngineThread(name: "omni-pool", onStop: queue.close) {
            var shape = LlamaContext.Shape(
                cells: length, sequences: PoolingLoop.mostTexts, batch: length, outputs: max(length, PoolingLoop.mostTexts),
                threads: options.threadCount, embeddings: true)
            shape.classes = classes
            shape.exactAttention = length * length * model.headCount * MemoryLayout<Float>.stride <= Self.mostAttentionBytes
            let context = try LlamaContext(model: model, shape: shape, abortHandle: abortHandle)
            reserved.value.withLock { $0 = context.reservation }
            let loop = PoolingLoop(
                context: context, abortHandle: abortHandle, longest: length, width: width,
                segments: classes ? SegmentRows(path: model.path) : nil)
            return {
                // A pass of each in turn: a short request does not wait for all of a long one.
                while let job = queue.take() {
                    if let rest = loop.step(job) { queue.putBack(rest) } else { queue.release() }
                }
            }
        }
        reservation = reserved.value.withLock { $0 }
    }

    /// Memory for the attention of one pass up to which it is computed exactly.
    private static let mostAttentionBytes = 64 << 20

    var stalledFor: Duration? { queue.stalledFor }

    /// A row for each text. Throws 503 when the queue is full.
    func rows(_ texts: [PooledText], scope: RequestScope) async throws -> [[Float]] {
        let cancellation = scope.cancellation
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<[[Float]], any Error>) in
                do {
                    try queue.add(PoolingJob(texts: texts, cancellation: cancellation) { continuation.resume(with: $0) })
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }

    func shutdown() async { await thread.stop() }

    /// Carries a value out of the thread's start.
    private final class Reserved: Sendable {
        let value = Mutex(MemoryReservation())
    }
}
