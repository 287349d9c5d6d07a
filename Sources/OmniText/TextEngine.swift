import CLlama
import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniGGUF
import OmniLlama

/// A language model that answers: libllama under continuous batching.
///
/// One thread of its own holds the `llama_context`; everything else here only prepares requests for it.
public final class TextEngine: TextModel {
    public let card: ModelCard

    let model: LlamaModel
    let vocabulary: Vocabulary
    let template: ChatTemplate
    let options: TextEngineOptions
    /// How tokens are chosen where a request does not say.
    let defaults: GenerationConfig
    /// Longest prompt and answer together, tokens.
    let maxLength: Int
    let mediaReader: MediaReader?
    /// Speaks answers; nil for a model without a voice.
    let speaker: Speaker?
    let inbox: Inbox
    let meter: TextMeter
    let logger: Logger
    private let thread: EngineThread

    /// What the engine has done and is doing.
    public var statistics: TextEngineStatistics { meter.statistics }
    public var stalledFor: Duration? { meter.stalledFor }
    public var reservation: MemoryReservation { meter.reservation + (speaker?.reservation ?? MemoryReservation()) }
    public var systemFingerprint: String? { meter.fingerprint }

    /// Loads a GGUF, and its projector where the options name one. Returns a ``TextEngine``, an ``EmbeddingEngine`` for a
    /// model that makes vectors, or a ``ClassifierEngine``. `progress` runs from 0 to 1. Throws ``APIError`` naming the file and its fault.
    public static func load(
        path: String, options: TextEngineOptions = TextEngineOptions(), lane: any ComputeLane, logger: Logger,
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> any ServedModel {
        LlamaLog.start(logger: logger)
        return try await BlockingThread.run(name: "omni-load") {
            let file = try ModelFile(path: path)
            guard file.header.tensorCount > 0, file.hasTokenizer else {
                throw APIError(
                    .internalError, "\(path) holds no language model (architecture \(file.header.architecture)).",
                    remedy: "A projector (mmproj) is given with --mmproj beside its model.")
            }
            if let mmproj = options.mmproj { _ = try ModelFile(path: mmproj) }
            let model = try LlamaModel(path: path, placement: options.placement) { progress($0 * 0.9) }
            defer { progress(1) }
            if file.isClassifier { return try ClassifierEngine(model: model, options: options, lane: lane, logger: logger) }
            if file.hasPooling || !file.isCausal || !model.hasDecoder {
                return try EmbeddingEngine(model: model, options: options, lane: lane, logger: logger)
            }
            let draft = try Self.draft(options, for: model, logger: logger)
            return try TextEngine(model: model, draft: draft, options: options, lane: lane, logger: logger)
        }
    }

    /// Blocks while the context is made.
    init(
        model: LlamaModel, draft: LlamaModel? = nil, options: TextEngineOptions, lane: any ComputeLane, logger: Logger,
        encoder kind: MediaEncoder.Type = MediaEncoder.self, drafter: (@Sendable () -> any Drafter)? = nil
    ) throws {
        guard let vocabulary = Vocabulary(of: model) else {
            throw APIError(.internalError, "The model file \(model.path) has no vocabulary.")
        }
        if let draft, let theirs = Vocabulary(of: draft) { try vocabulary.check(draft: theirs, path: draft.path) }
        let setup = ContextPlan(model: model, options: options)
        if let own = setup.ownCaches {
            logger.notice(
                "all answers share one cache, which makes each slower beside others",
                metadata: ["own_caches_with": "--max-model-len \(own.length), or --kv-cache-memory-bytes \(own.bytes)"])
        }
        let abortHandle = AbortHandle(lane: lane)
        let encoder = try options.mmproj.map {
            try kind.init(path: $0, model: model, threads: options.threadCount, abortHandle: abortHandle)
        }
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
        mediaReader = encoder.map { MediaReader(encoder: $0, limits: options.media, fetcher: options.fetcher) }
        speaker = try options.voice.map { try Speaker($0, thinker: model, prompts: setup.batch.maxLength, options: options) }
        thread = try EngineThread(name: "omni-text", onStop: inbox.close) { [speaker] in
            let context = try LlamaContext(model: model, shape: setup.shape, abortHandle: abortHandle)
            let loop = BatchLoop(
                context: context, vocabulary: vocabulary, encoder: encoder, abortHandle: abortHandle, inbox: inbox, meter: meter,
                setup: setup.batch)
            loop.words = speaker?.talker.model
            loop.warmUp()
            var reservation = context.reservation
            if options.speculation.isOn, loop.canDropTails() {
                let small = try draft.map {
                    try DraftModel(
                        model: $0, vocabulary: vocabulary.count, maxLength: setup.batch.maxLength, sequences: setup.batch.maxSequences,
                        options: options, abortHandle: abortHandle)
                }
                if let small { reservation = reservation + small.reservation }
                loop.speculator = Speculator(config: options.speculation, drafter: drafter?() ?? small, always: options.alwaysSpeculates)
            }
            meter.note(reservation)
            let speculates = loop.speculator != nil
            meter.note(fingerprint: SystemFingerprint.text(of: context, file: model.byteCount, options: options, speculates: speculates))
            return loop.run
        }
        card = ModelCard(
            kind: .text, root: model.path, maxModelLength: setup.batch.maxLength, inputParts: encoder?.inputParts ?? [],
            details: JSONObject([
                ("description", .string(model.summary)), ("parameters", .int(model.parameterCount)), ("bytes", .int(model.byteCount)),
                ("kv_cache_tokens", .int(setup.shape.cells)), ("kv_bytes_per_token", .int(ContextPlan.cacheBytesPerToken(of: model))),
                ("threads", .int(options.threadCount)),
                ("default_sampling", defaults.json),
            ]))
    }

    /// The model that guesses, where one is named and its guesses can be used.
    private static func draft(_ options: TextEngineOptions, for model: LlamaModel, logger: Logger) throws -> LlamaModel? {
        guard options.speculation.isOn, let path = options.speculation.model else { return nil }
        guard !model.hasRecurrentState else {
            logger.notice("this model's memory cannot forget a wrong guess: no draft model is used", metadata: ["draft": .string(path)])
            return nil
        }
        _ = try ModelFile(path: path)
        let draft = try LlamaModel(path: path, placement: options.placement) { _ in }
        guard !draft.hasRecurrentState, draft.hasDecoder else {
            throw APIError(.internalError, "The model \(path) cannot guess for another: it keeps a recurrent state, or writes no text.")
        }
        return draft
    }

    /// The model's template, or the one that was asked for; ChatML for a model without one.
    private static func template(of model: LlamaModel, options: TextEngineOptions, logger: Logger) throws -> ChatTemplate {
        if let given = options.chatTemplate {
            return try ChatTemplate(model: model, source: (try? String(contentsOfFile: given, encoding: .utf8)) ?? given)
        }
        guard llama_model_chat_template(model.handle, nil) != nil else {
            logger.notice("the model has no chat template: /v1/chat/completions will use ChatML")
            return try ChatTemplate(model: model)
        }
        return try ChatTemplate(model: model)
    }

    public func shutdown() async {
        await thread.stop()
        await speaker?.talker.stop()
    }

    /// Puts a request into the queue. Ending the events' iteration cancels it.
    func start(_ request: GenerationRequest) throws {
        let (token, departure) = (request.scope.cancellation, request.departure)
        request.events.onTermination = { reason in
            guard case .cancelled = reason else { return }
            departure.note()
            token.cancel()
        }
        try inbox.add(request)
    }
}

/// How large the context of a model is made.
struct ContextPlan {
    var shape: LlamaContext.Shape
    var batch: BatchSetup
    /// Where sequences share one cache because theirs would not fit: the length in tokens at which they would, and the bytes
    /// that they take as they are.
    var ownCaches: (length: Int, bytes: Int)?

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
        let (bytes, isBeyond) = all.multipliedReportingOverflow(by: bytesPerToken)
        if unified, options.unifiedCache == nil, !overflows, !isBeyond { ownCaches = (affordable / options.maxSequences, bytes) }
        // Idle slots keep finished answers for reuse, beside the running ones.
        let slots = unified ? min(max(options.maxSequences * 2, 4), 256) : min(options.maxSequences, 256)
        let cells = unified ? max(length, min(overflows ? .max : all, affordable)) : length * slots
        let capacity = max(min(options.batchSize, length), 32)
        shape = LlamaContext.Shape(
            cells: cells, sequences: slots, batch: capacity,
            // libllama asserts room for one row of each sequence, whatever fits into a batch.
            outputs: max(slots, min(capacity, max(options.maxSequences, BatchSetup.scoredChunk))), threads: options.threadCount,
            unified: unified)
        (shape.exactCache, shape.exactAttention) = (options.isExact, options.isExact)
        batch = BatchSetup(
            maxSequences: min(options.maxSequences, slots), slots: slots, batch: capacity, outputs: shape.outputs, maxLength: length,
            prefixLifetime: options.prefixLifetime, adapters: max(options.maxAdapters, 1))
    }

    /// Bytes that the keys and values of one token take, at 16 bits each.
    static func cacheBytesPerToken(of model: LlamaModel) -> Int {
        let heads = max(Int(llama_model_n_head(model.handle)), 1)
        let width = Int(llama_model_n_embd(model.handle)) / heads * max(Int(llama_model_n_head_kv(model.handle)), 1)
        return model.layers * width * 2 * 2
    }
}
