import CLlama
import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniLlama

/// A language model that answers: libllama under continuous batching.
///
/// One thread of its own holds the `llama_context`; everything else here only prepares requests for it.
public final class TextEngine: TextModel {
    public let card: ModelCard

    let model: LlamaModel
    let vocabulary: Vocabulary
    let template: ChatTemplate?
    let options: TextEngineOptions
    /// How tokens are chosen where a request does not say.
    let defaults: GenerationConfig
    /// Longest prompt and answer together, tokens.
    let maxLength: Int
    let eyes: MediaReader?
    let inbox: Inbox
    let meter: TextMeter
    let logger: Logger
    private let thread: EngineThread

    /// What the engine has done and is doing.
    public var statistics: TextEngineStatistics { meter.statistics }
    public var stalledFor: Duration? { meter.stalledFor }

    /// Loads a GGUF, and its projector where the options name one. Returns a ``TextEngine``, or an ``EmbeddingEngine`` for a
    /// model that makes vectors. `progress` runs from 0 to 1. Throws ``APIError`` naming the file and its fault.
    public static func load(
        path: String, options: TextEngineOptions = TextEngineOptions(), lane: any ComputeLane, logger: Logger,
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> any ServedModel {
        LlamaLog.start(logger: logger)
        return try await EngineThread.blocking(name: "omni-load") {
            let file = try ModelFile(path: path)
            guard file.header.tensorCount > 0, file.hasTokenizer else {
                throw APIError(.internalError, "\(path) holds no language model (architecture \(file.header.architecture)).", remedy: "A projector (mmproj) is given with --mmproj beside its model.")
            }
            if let mmproj = options.mmproj { _ = try ModelFile(path: mmproj) }
            let model = try LlamaModel(path: path, gpuLayers: options.gpuLayers) { progress($0 * 0.9) }
            defer { progress(1) }
            if file.hasPooling || !file.isCausal || !model.hasDecoder {
                return try EmbeddingEngine(model: model, options: options, lane: lane, logger: logger)
            }
            return try TextEngine(model: model, options: options, lane: lane, logger: logger)
        }
    }

    /// Blocks while the context is made.
    init(model: LlamaModel, options: TextEngineOptions, lane: any ComputeLane, logger: Logger) throws {
        guard let vocabulary = Vocabulary(of: model) else {
            throw APIError(.internalError, "The model file \(model.path) has no vocabulary.")
        }
        let setup = ContextPlan(model: model, options: options)
        let brake = Brake(lane: lane)
        let encoder = try options.mmproj.map { try MediaEncoder(path: $0, model: model, threads: options.threadCount, brake: brake) }
        let inbox = Inbox(maxSequences: options.maxSequences, maxQueue: options.maxQueue)
        let meter = TextMeter()
        self.model = model
        self.vocabulary = vocabulary
        self.options = options
        self.inbox = inbox
        self.meter = meter
        self.logger = logger
        defaults = try GenerationConfig(of: model, options: options)
        maxLength = setup.batch.maxLength
        template = try Self.template(of: model, options: options, logger: logger)
        eyes = encoder.map { MediaReader(encoder: $0, limits: options.media, fetcher: options.fetcher) }
        thread = try EngineThread(name: "omni-text", onStop: inbox.close) {
            let context = try LlamaContext(model: model, shape: setup.shape, brake: brake)
            let loop = BatchLoop(
                context: context, vocabulary: vocabulary, encoder: encoder, brake: brake, inbox: inbox, meter: meter, setup: setup.batch)
            loop.warmUp()
            return loop.run
        }
        card = ModelCard(
            kind: .text, root: model.path, maxModelLength: setup.batch.maxLength, inputParts: encoder?.inputParts ?? [],
            details: JSONObject([
                ("description", .string(model.summary)), ("parameters", .int(model.parameterCount)), ("bytes", .int(model.byteCount)),
                ("kv_cache_tokens", .int(setup.shape.cells)), ("kv_bytes_per_token", .int(ContextPlan.cacheBytesPerToken(of: model))), ("threads", .int(options.threadCount)),
                ("default_sampling", defaults.json),
            ]))
    }

    /// The model's template, or the one that was asked for. A model without one can still go on from plain prompts.
    private static func template(of model: LlamaModel, options: TextEngineOptions, logger: Logger) throws -> ChatTemplate? {
        if let given = options.chatTemplate {
            return try ChatTemplate(model: model, source: (try? String(contentsOfFile: given, encoding: .utf8)) ?? given)
        }
        guard llama_model_chat_template(model.handle, nil) != nil else {
            logger.notice("the model has no chat template: /v1/chat/completions will use ChatML")
            return try ChatTemplate(model: model)
        }
        return try ChatTemplate(model: model)
    }

    public func shutdown() async { await thread.stop() }

    /// Puts a request into the queue. Ending the events' iteration cancels it.
    func start(_ request: GenerationRequest) throws {
        let (token, meter) = (request.scope.cancellation, meter)
        request.events.onTermination = { reason in
            guard case .cancelled = reason else { return }
            meter.left()
            token.cancel()
        }
        try inbox.add(request)
    }
}

/// How large the context of a model is made.
struct ContextPlan {
    var shape: LlamaContext.Shape
    var batch: BatchSetup

    init(model: LlamaModel, options: TextEngineOptions) {
        let trained = max(model.trainedContextLength, 1)
        let wanted = options.maxModelLength ?? min(trained, 32_768)
        let bytesPerToken = Self.cacheBytesPerToken(of: model)
        // Room for every sequence at full length where memory allows, and for one at least.
        let affordable = max(options.cacheBytes / max(bytesPerToken, 1), 1)
        let longest = max(options.longestSequenceBytes / max(bytesPerToken, 1), 512)
        let length = options.maxModelLength == nil ? min(wanted, longest) : wanted
        let (all, overflows) = length.multipliedReportingOverflow(by: options.maxSequences)
        let unified = options.unifiedCache ?? (overflows || all > affordable || options.maxSequences > 256)
        // Idle slots keep finished answers for reuse, beside the running ones.
        let slots = unified ? min(max(options.maxSequences * 2, 4), 256) : min(options.maxSequences, 256)
        let cells = unified ? max(length, min(overflows ? .max : all, affordable)) : length * slots
        let capacity = max(min(options.batchSize, length), 32)
        shape = LlamaContext.Shape(
            cells: cells, sequences: slots, batch: capacity, outputs: min(capacity, max(options.maxSequences, BatchSetup.scoredChunk)),
            threads: options.threadCount, unified: unified)
        batch = BatchSetup(maxSequences: min(options.maxSequences, slots), slots: slots, batch: capacity, maxLength: length)
    }

    /// Bytes that the keys and values of one token take, at 16 bits each.
    static func cacheBytesPerToken(of model: LlamaModel) -> Int {
        let heads = max(Int(llama_model_n_head(model.handle)), 1)
        let width = Int(llama_model_n_embd(model.handle)) / heads * max(Int(llama_model_n_head_kv(model.handle)), 1)
        return model.layers * width * 2 * 2
    }
}
