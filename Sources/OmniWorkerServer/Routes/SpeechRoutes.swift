import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import OmniAPI
import OmniEngine
import OmniHTTP

/// `/v1/audio/speech` and its batches.
struct SpeechRoutes: RouteGroup {
    let worker: WorkerModel
    let metrics: MetricsRegistry
    /// Gets samples that requests name by URL.
    let fetcher: any MediaFetcher

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/audio/speech", "Speech from text.") { request, context in
            let (speech, _) = try context.decode(SpeechRequest.self, from: try await context.collectJSON(request))
            let model = try worker.model(as: (any SpeechModel).self)
            try SpeechRules.check(speech, abilities: model.abilities)
            let scope = RequestScope(id: context.requestID)
            let generation = try await context.cancelOnDisconnect { try await speak(speech, by: model, scope: scope) }
            let ignored = (SpeechRules.ignored(speech, abilities: model.abilities) + generation.ignored).uniqued()
            let reply = SpeechReply(generation: generation, format: speech.responseFormat, scope: scope)
            var response: Response
            if speech.repliesWithEvents {
                response = context.eventStream { try await reply.sendEvents(to: $0, log: context.requestLogger) }
                response.headers[.xSampleRate] = reply.sampleRate
            } else if speech.isStreamed {
                response = try reply.byteStream(context)
            } else {
                response = try await context.cancelOnDisconnect { try await reply.whole() }
            }
            if !ignored.isEmpty { response.headers[.xIgnoredParams] = ignored.joined(separator: ",") }
            return response
        }
        table.add(.post, "/v1/audio/speech/batch", "Speech from several texts.") { request, context in
            let (batch, _) = try context.decode(SpeechBatchRequest.self, from: try await context.collectJSON(request))
            let model = try worker.model(as: (any SpeechModel).self)
            var reply = SpeechBatchReply()
            reply.id = RequestID.make("speech-batch-", digits: 16)
            for (index, speech) in batch.requests.enumerated() {
                reply.results.append(
                    try await context.cancelOnDisconnect {
                        try await batchResult(
                            speech, index: index, model: model, id: "\(context.requestID)-\(index)", log: context.requestLogger)
                    })
            }
            return .json(reply.json)
        }
    }

    /// Starts to speak; the request counts from here on.
    private func speak(_ speech: SpeechRequest, by model: any SpeechModel, scope: RequestScope) async throws -> SpeechGeneration {
        let meter = SpeechMeter(registry: metrics, modelName: worker.servedName)
        do {
            let generation = try await model.speak(try await SpeechRules.synthesis(speech, fetcher: fetcher), scope: scope)
            return meter.counting(generation, isStreamed: speech.isStreamed)
        } catch {
            meter.failed(error, isStreamed: speech.isStreamed)
            throw error
        }
    }

    private func batchResult(_ speech: SpeechRequest, index: Int, model: any SpeechModel, id: String, log: Logger) async throws
        -> SpeechBatchReply.Result
    {
        var result = SpeechBatchReply.Result()
        result.index = index
        do {
            try SpeechRules.check(speech, abilities: model.abilities)
            let scope = RequestScope(id: id)
            let generation = try await speak(speech, by: model, scope: scope)
            let (file, usage) = try await SpeechReply(generation: generation, format: speech.responseFormat, scope: scope).file()
            result.audioData = file.base64
            result.mediaType = speech.responseFormat.contentType
            result.usage = usage
        } catch let error as APIError {
            result.status = .error
            result.error = error.fullMessage
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            log.error("speech failed", metadata: ["error": "\(error)"])
            result.status = .error
            result.error = "Speech generation failed."
        }
        return result
    }
}
