import OmniAPI
import OmniEngine
import OmniLlama

/// Computes rows of numbers for texts, several short ones in one pass. Owned by one thread.
final class PoolingLoop {
    private let context: LlamaContext
    private let abortHandle: AbortHandle
    /// Where the second texts of pairs have input vectors of their own.
    private let segments: SegmentRows?
    /// Numbers of a row.
    private let width: Int
    private let tokens: TokenBatch
    private let vectors: VectorBatch?

    /// Texts of one pass.
    static let mostTexts = 32
    /// Tokens of one pass of several texts: attention is computed over all of them and then masked, so that more cost more than they save.
    private static let mostTokens = 512

    init(context: LlamaContext, abortHandle: AbortHandle, longest: Int, width: Int, segments: SegmentRows?) {
        self.context = context
        self.abortHandle = abortHandle
        self.segments = segments
        self.width = width
        tokens = TokenBatch(capacity: longest)
        vectors = segments.map { VectorBatch(capacity: longest, width: $0.width, axes: 1) }
    }

    /// Computes the request's next rows, and hands all of them over when these were the last. What is left to do; nil for nothing.
    func step(_ job: PoolingJob) -> PoolingJob? {
        var job = job
        do {
            let start = job.rows.count
            let count = Self.pass(job.texts[start...].lazy.map(\.tokens.count), room: min(tokens.capacity, Self.mostTokens))
            if count > 0 { job.rows += try rows(of: job.texts[start..<start + count], cancellation: job.cancellation) }
            guard job.rows.count == job.texts.count else { return job }
            job.done(.success(job.rows))
        } catch {
            job.done(.failure(error))
        }
        return nil
    }

    /// How many of the next texts go into one pass, by their lengths: in their order, so that equal requests give equal bits. One that has
    /// no room beside others goes alone.
    static func pass(_ lengths: some Swift.Sequence<Int>, room: Int) -> Int {
        var count = 0, sum = 0
        for length in lengths {
            sum += length
            guard count == 0 || sum <= room && count < mostTexts else { break }
            count += 1
        }
        return count
    }

    private func rows(of texts: ArraySlice<PooledText>, cancellation: CancellationToken) throws -> [[Float]] {
        try cancellation.check()
        context.clearAll()
        let count = texts.reduce(0) { $0 + $1.tokens.count }
        let outcome = try abortHandle.run(for: [cancellation], slicing: count > 16) { try compute(texts) }
        try cancellation.check()
        guard outcome == .done, !abortHandle.wasAborted else { throw Self.failure }
        var last = -1
        return try texts.enumerated().map { sequence, text in
            last += text.tokens.count
            guard let row = context.embedding(ofSequence: sequence) ?? context.embedding(at: last) else { throw Self.failure }
            return Array(UnsafeBufferPointer(start: row, count: width))
        }
    }

    private func compute(_ texts: ArraySlice<PooledText>) throws -> LlamaContext.Outcome {
        guard let segments, let vectors, texts.contains(where: { $0.second != nil }) else {
            tokens.clear()
            for (sequence, text) in texts.enumerated() {
                for (position, token) in text.tokens.enumerated() {
                    tokens.add(token, position: Int32(position), sequence: sequence, output: true)
                }
            }
            return context.embed(tokens)
        }
        vectors.clear()
        for (sequence, text) in texts.enumerated() {
            for (position, token) in text.tokens.enumerated() {
                let vector = try segments.vector(of: token, isSecond: position >= text.second ?? .max)
                vectors.add(vector, place: RotaryPlace(Int32(position)), sequence: sequence, output: true)
            }
        }
        return context.embed(vectors)
    }

    private static var failure: APIError { APIError(.internalError, "The model failed to read the text.") }
}
