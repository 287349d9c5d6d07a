import Logging
import OmniAPI
import OmniEngine
import OmniLlama

/// A model that turns text into vectors: pooled as its file says, of length 1. Pairs of texts it scores by the cosine of their vectors.
public final class EmbeddingEngine: EmbeddingModel {
    public let card: ModelCard
    private let runner: PoolingRunner
    private let width: Int

    /// Blocks while the context is made.
    init(model: LlamaModel, options: TextEngineOptions, lane: any ComputeLane, logger: Logger) throws {
        width = model.outputWidth
        runner = try PoolingRunner(model: model, options: options, lane: lane, width: width)
        card = ModelCard(
            kind: .embedding, root: model.path, maxModelLength: runner.framing.maxLength,
            details: JSONObject([
                ("description", .string(model.summary)), ("bytes", .int(model.byteCount)), ("dimensions", .int(model.outputWidth)),
            ]))
    }

    public var stalledFor: Duration? { runner.stalledFor }
    public var reservation: MemoryReservation { runner.reservation }

    public func embed(_ request: EmbeddingRequest, scope: RequestScope) async throws -> (vectors: [[Float]], tokens: Int) {
        if let dimensions = request.dimensions, dimensions > width {
            throw APIError.invalid("body.dimensions", "This model's vectors have \(width) dimensions; \(dimensions) were asked for.")
        }
        let texts = try request.input.enumerated().map { place, input in
            PooledText(
                tokens: try runner.framing.tokens(
                    of: input, place: place, addSpecial: request.addsSpecialTokens, truncation: request.truncation, field: "body.input"))
        }
        let rows = try await runner.rows(texts, scope: scope)
        let kept = request.dimensions ?? width
        let vectors = rows.map { request.usesActivation ?? true ? Self.normalised($0.prefix(kept)) : Array($0.prefix(kept)) }
        return (vectors, texts.reduce(0) { $0 + $1.tokens.count })
    }

    /// The cosine of the texts' vectors, −1 to 1.
    public func score(_ pairs: TextPairs, scope: RequestScope) async throws -> (scores: [Float], tokens: Int) {
        func texts(_ texts: [String], most: Int, field: String) throws -> [PooledText] {
            try texts.enumerated().map { place, text in
                PooledText(
                    tokens: try runner.framing.tokens(
                        of: .text(text), place: place, most: most, truncation: pairs.truncation, field: field))
            }
        }
        let first = try texts(pairs.first, most: pairs.mostFirstTokens, field: pairs.fields.first)
        let second = try texts(pairs.second, most: pairs.mostSecondTokens, field: pairs.fields.second)
        let rows = try await runner.rows(first + second, scope: scope).map { Self.normalised($0[...]) }
        let scores = pairs.places.map {
            zip(rows[$0.first], rows[first.count + $0.second]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        }
        return (scores.map { Float($0) }, (first + second).reduce(0) { $0 + $1.tokens.count })
    }

    public func shutdown() async { await runner.shutdown() }

    private static func normalised(_ vector: ArraySlice<Float>) -> [Float] {
        let length = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return length > 0 ? vector.map { Float(Double($0) / length) } : Array(vector)
    }
}
