import Logging
import OmniAPI
import OmniEngine
import OmniLlama
import Synchronization

/// A model that turns text into vectors: pooled as its file says, of length 1.
public final class EmbeddingEngine: EmbeddingModel {
    public let card: ModelCard

    private let vocabulary: Vocabulary
    private let maxLength: Int
    private let width: Int
    private let jobs: JobQueue
    private let thread: EngineThread

    /// Blocks while the context is made.
    init(model: LlamaModel, options: TextEngineOptions, lane: any ComputeLane, logger: Logger) throws {
        guard let vocabulary = Vocabulary(of: model) else {
            throw APIError(.internalError, "The model file \(model.path) has no vocabulary.")
        }
        // A text is read in one batch, whose buffers grow with it: a longer one has to be asked for.
        let length = max(min(options.maxModelLength ?? 2048, model.trainedContextLength), 1)
        let abortHandle = AbortHandle(lane: lane)
        let jobs = JobQueue(maxQueue: options.maxQueue)
        self.vocabulary = vocabulary
        self.jobs = jobs
        maxLength = length
        width = model.outputWidth
        thread = try EngineThread(name: "omni-embed", onStop: jobs.close) {
            let shape = LlamaContext.Shape(
                cells: length, sequences: 1, batch: length, outputs: length, threads: options.threadCount, embeddings: true)
            let pooler = EmbeddingLoop(
                context: try LlamaContext(model: model, shape: shape, abortHandle: abortHandle), abortHandle: abortHandle)
            return { while let job = jobs.take() { pooler.run(job) } }
        }
        card = ModelCard(
            kind: .embedding, root: model.path, maxModelLength: length,
            details: JSONObject([("description", .string(model.summary)), ("dimensions", .int(model.outputWidth))]))
    }

    public var stalledFor: Duration? { jobs.stalledFor }

    public func embed(_ request: EmbeddingRequest, scope: RequestScope) async throws -> (vectors: [[Float]], tokens: Int) {
        if let dimensions = request.dimensions, dimensions > width {
            throw APIError.invalid("body.dimensions", "This model's vectors have \(width) dimensions; \(dimensions) were asked for.")
        }
        let prompts = try request.input.enumerated().map { place, input in
            let tokens: [Token] =
                switch input {
                case .text(let text): vocabulary.tokenize(text, addSpecial: true, special: false)
                case .tokens(let ids): try vocabulary.checked(ids, param: "body.input")
                }
            guard !tokens.isEmpty else { throw APIError.invalid("body.input", "Input \(place) is empty.") }
            guard tokens.count <= maxLength else {
                throw APIError(
                    .tooLarge,
                    "\(APIError.contextLength(maxLength)) However, input \(place) has \(tokens.count) tokens.",
                    remedy: "Shorten it, or start the server with a larger --max-model-len.", param: "body.input")
            }
            return tokens
        }
        let cancellation = scope.cancellation
        let vectors = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<[[Float]], any Error>) in
                do {
                    try jobs.add(EmbeddingJob(prompts: prompts, cancellation: cancellation) { continuation.resume(with: $0) })
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
        let kept = request.dimensions ?? width
        return (vectors.map { Self.normalised($0.prefix(kept)) }, prompts.reduce(0) { $0 + $1.count })
    }

    public func shutdown() async { await thread.stop() }

    private static func normalised(_ vector: ArraySlice<Float>) -> [Float] {
        let length = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return length > 0 ? vector.map { Float(Double($0) / length) } : Array(vector)
    }
}

/// Texts to turn into vectors.
struct EmbeddingJob: Sendable {
    let prompts: [[Token]]
    let cancellation: CancellationToken
    let done: @Sendable (Result<[[Float]], any Error>) -> Void
}

/// Computes embeddings, one text after the other: a text fills the cores by itself.
final class EmbeddingLoop {
    private let context: LlamaContext
    private let abortHandle: AbortHandle
    private let batch: TokenBatch

    init(context: LlamaContext, abortHandle: AbortHandle) {
        self.context = context
        self.abortHandle = abortHandle
        batch = TokenBatch(capacity: context.cells)
    }

    func run(_ job: EmbeddingJob) {
        job.done(Result { try job.prompts.map { try vector(of: $0, cancellation: job.cancellation) } })
    }

    private func vector(of tokens: [Token], cancellation: CancellationToken) throws -> [Float] {
        try cancellation.check()
        context.clearAll()
        batch.clear()
        for (position, token) in tokens.enumerated() { batch.add(token, position: Int32(position), sequence: 0, output: true) }
        let outcome = abortHandle.run(for: [cancellation], slicing: tokens.count > 16) { context.embed(batch) }
        try cancellation.check()
        guard outcome == .done, !abortHandle.wasAborted,
            let vector = context.embedding(ofSequence: 0) ?? context.embedding(at: tokens.count - 1)
        else {
            throw APIError(.internalError, "The model failed to compute an embedding.")
        }
        return Array(UnsafeBufferPointer(start: vector, count: context.model.outputWidth))
    }
}
