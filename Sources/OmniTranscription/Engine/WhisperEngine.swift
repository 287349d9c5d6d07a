import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniGGUF

/// A `ggml-*.bin` Whisper, heard by whisper.cpp.
public final class WhisperEngine: TranscriptionModel, MeteredModel {
    public let card: ModelCard
    public let abilities: TranscriptionAbilities
    private let thread: TranscriptionThread
    private let options: TranscriptionOptions
    private let logger: Logger

    /// Loads the file.
    ///
    /// - Parameters:
    ///   - lane: for the engine's one thread; given back between the nodes of a graph.
    ///   - progress: the share that is loaded, 0…1.
    /// - Throws: ``APIError`` naming the file and its fault.
    public static func load(
        path: String, options: TranscriptionOptions = TranscriptionOptions(), lane: any ComputeLane = FreeLane(), logger: Logger,
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> WhisperEngine {
        progress(0)
        WhisperLog.start(logger: logger)
        let turn = GraphTurn(lane: lane)
        let (thread, facts) = try await TranscriptionThread.start(turn: turn) { try Recognizer(path: path, options: options, turn: turn) }
        progress(1)
        return WhisperEngine(path: path, thread, facts, options: options, logger: logger)
    }

    private init(path: String, _ thread: TranscriptionThread, _ facts: Recognizer.Facts, options: TranscriptionOptions, logger: Logger) {
        let detector = options.voiceActivityModel ?? Recognizer.detector(beside: path)
        abilities = TranscriptionAbilities(
            languages: facts.languages, translates: facts.isMultilingual, timesWords: true, findsPauses: detector != nil)
        let file = try? WhisperFile(url: URL(filePath: path))
        card = ModelCard(
            kind: .transcription, root: path,
            details: JSONObject([
                ("architecture", .string("whisper")), ("size", .string(file?.size)), ("languages", .int(facts.languages.count)),
                ("bytes", .integer(file?.fileSize ?? 0)),
            ]))
        (self.thread, self.options, self.logger) = (thread, options, logger)
        logger.info("loaded recognizer", metadata: ["root": "\(path)", "size": "\(file?.size ?? "?")", "vad": "\(detector ?? "none")"])
    }

    deinit { thread.close() }

    public var stalledFor: Duration? { thread.stalledFor }

    public func shutdown() async { await thread.end() }

    public func report(to registry: MetricsRegistry, modelName: String) {
        let load = thread.load
        registry.set(.requestsRunning, Double(load.running), labels: ["model_name": modelName])
        registry.set(.requestsWaiting, Double(load.waiting), labels: ["model_name": modelName])
    }

    public func transcribe(_ request: SpeechRecognition, scope: RequestScope) async throws -> AsyncThrowingStream<
        TranscriptionEvent, any Error
    > {
        if request.translates, !abilities.translates {
            throw APIError.invalid("model", "This model knows English only and cannot translate.", remedy: "Load a multilingual Whisper.")
        }
        let language = try request.language.flatMap { try code($0) } ?? (abilities.languages.count == 1 ? abilities.languages[0].code : nil)
        var logger = logger
        logger[metadataKey: "request"] = "\(scope.id)"
        // Never full: what a transcription says is far smaller than the sound that it came from.
        let events = BoundedQueue<TranscriptionEvent>(limit: .max)
        let stream = CancellationToken()
        let job = TranscriptionJob(request, language: language, events: events, owners: [scope.cancellation, stream], logger: logger)
        try thread.submit(job, most: options.mostRequests)
        let dropGuard = DropGuard(events, stream)
        return AsyncThrowingStream { try await dropGuard.events.next() }
    }

    /// The code of a language that a request names; nil for `auto`.
    private func code(_ name: String) throws -> String? {
        let wanted = name.lowercased()
        guard !["", "auto"].contains(wanted) else { return nil }
        let short = String(wanted.prefix { $0 != "-" && $0 != "_" })
        guard let code = abilities.languages.first(where: { [$0.code, $0.name].contains(wanted) || $0.code == short })?.code else {
            throw APIError.invalid(
                "language", "This model does not know the language '\(name)'.",
                remedy: "Give an ISO 639-1 code such as en, or leave it out.")
        }
        return code
    }

    /// Lives as long as the stream of events.
    private final class DropGuard: Sendable {
        let events: BoundedQueue<TranscriptionEvent>
        private let stream: CancellationToken

        init(_ events: BoundedQueue<TranscriptionEvent>, _ stream: CancellationToken) { (self.events, self.stream) = (events, stream) }

        deinit { stream.cancel() }
    }
}
