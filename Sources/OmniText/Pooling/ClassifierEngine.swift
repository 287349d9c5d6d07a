import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniLlama

/// A model with a head that tells classes of texts. With one class it is a reranker: the head says how well a pair of texts fits.
public final class ClassifierEngine: ClassificationModel, ScoringModel {
    public let card: ModelCard
    public let labels: [String]
    private let runner: PoolingRunner
    private let activation: ClassifierActivation
    /// libllama gives probabilities of "yes" and "no".
    private let answersYes: Bool

    /// Blocks while the context is made.
    init(model: LlamaModel, options: TextEngineOptions, lane: any ComputeLane, logger: Logger) throws {
        labels = model.labels
        answersYes = model.template(named: "rerank") != nil && model.labels == ["yes", "no"]
        activation = ClassifierActivation(of: model, classes: model.labels.count)
        runner = try PoolingRunner(model: model, options: options, lane: lane, width: model.labels.count, classes: true)
        card = ModelCard(
            kind: .classifier, root: model.path, maxModelLength: runner.framing.maxLength,
            details: JSONObject([
                ("description", .string(model.summary)), ("bytes", .int(model.byteCount)),
                ("labels", .array(labels.map { .string($0) })),
            ]))
    }

    public var capabilities: Set<ModelCapability> { labels.count == 1 || answersYes ? [.scoring, .classification] : [.classification] }
    public var stalledFor: Duration? { runner.stalledFor }
    public var reservation: MemoryReservation { runner.reservation }

    public func score(_ pairs: TextPairs, scope: RequestScope) async throws -> (scores: [Float], tokens: Int) {
        let texts = try pairs.places.map { try runner.framing.pair(pairs, first: $0.first, second: $0.second) }
        let rows = try await runner.rows(texts, scope: scope)
        let scores = rows.compactMap { values($0, activated: pairs.usesActivation).first }
        return (scores, texts.reduce(0) { $0 + $1.tokens.count })
    }

    public func classify(_ request: ClassificationRequest, scope: RequestScope) async throws -> (rows: [[Float]], tokens: Int) {
        let texts = try request.input.enumerated().map { place, input in
            PooledText(
                tokens: try runner.framing.tokens(
                    of: input, place: place, addSpecial: request.addsSpecialTokens, truncation: request.truncation, field: "body.input"))
        }
        let rows = try await runner.rows(texts, scope: scope)
        return (rows.map { values($0, activated: request.usesActivation ?? true) }, texts.reduce(0) { $0 + $1.tokens.count })
    }

    public func shutdown() async { await runner.shutdown() }

    private func values(_ row: [Float], activated: Bool) -> [Float] {
        guard answersYes else { return activated ? activation.applied(to: row) : row }
        // The odds of one answer against the other.
        return activated ? row : row.map { log($0 / max(1 - $0, .leastNormalMagnitude)) }
    }
}

/// What makes probabilities of a head's logits, as vLLM chooses it: what the checkpoint names, else the softmax of several classes and the
/// sigmoid of one.
enum ClassifierActivation: String, Sendable {
    case identity, sigmoid, softmax

    init(of model: LlamaModel, classes: Int) {
        let named = model.metadata("omni.classifier.activation").flatMap { ClassifierActivation(rawValue: $0) }
        self = named ?? (classes > 1 ? .softmax : .sigmoid)
    }

    func applied(to row: [Float]) -> [Float] {
        switch self {
        case .identity: return row
        case .sigmoid: return row.map { 1 / (1 + exp(-$0)) }
        case .softmax:
            let top = row.max() ?? 0, powers = row.map { exp($0 - top) }
            return powers.map { $0 / powers.reduce(0, +) }
        }
    }
}
