import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway

extension GatewayRoutes {
    func addSpeech(to table: inout RouteTable) {
        table.add(.post, "/v1/audio/speech", Self.speechDoc) { request, context in
            let body = try await context.collectJSON(request)
            let (speech, ignored) = try context.decode(SpeechRequest.self, from: body)
            // Wrong on any server, whether it can speak or not.
            guard speech.input.contains(where: { !$0.isWhitespace }) else { throw APIError.invalid("input", "Input text cannot be empty") }
            let entry = try gateway.catalogue.entry(named: speech.model, kinds: [.speech], task: "speech")
            let choice = try await voices.prepare(body.json.objectValue ?? JSONObject(), for: entry, in: gateway.catalogue)
            let bytes = ByteBuffer(bytes: JSONValue.object(choice.members).jsonBytes)
            let names = (ignored.map { [$0] } ?? []) + choice.ignored
            return try await forward(request, body: bytes, to: entry, context: context, ignored: names.isEmpty ? nil : names.joined(separator: ","), failure: .speech)
        }
        let batchDoc = RouteDoc("Speech from several texts.", .speech)
            .takes(SpeechBatchRequest.self, example: ["items": [["input": "Hello."], ["input": "Goodbye."]]])
            .answers(SpeechBatchReply.self, "Each text has its own status.")
            .fails(.reading + .serving)
        table.add(.post, "/v1/audio/speech/batch", batchDoc) { request, context in
            let body = try await context.collectJSON(request)
            let (batch, ignored) = try context.decode(SpeechBatchRequest.self, from: body)
            try Self.refuseAAC(batch)
            let entry = try gateway.catalogue.entry(named: batch.model, kinds: [.speech], task: "speech")
            var members = body.json.objectValue ?? JSONObject()
            members = (try? await voices.prepare(members, for: entry, in: gateway.catalogue).members) ?? members
            var items: [JSONValue] = []
            for item in members["items"]?.arrayValue ?? [] {
                // A voice that is not there is the item's own error, which the worker reports in its place.
                let prepared = try? await voices.prepare(item.objectValue ?? JSONObject(), for: entry, in: gateway.catalogue)
                items.append(prepared.map { .object($0.members) } ?? item)
            }
            members["items"] = .array(items)
            return try await forward(request, body: ByteBuffer(bytes: JSONValue.object(members).jsonBytes), to: entry, context: context, ignored: ignored)
        }
    }

    /// A batch knows the peer's formats only.
    private static func refuseAAC(_ batch: SpeechBatchRequest) throws {
        let path = WirePath.body
        if batch.settings.responseFormat == .aac { throw APIError.field(path.appending("response_format"), "must be one of wav, pcm, flac, mp3, opus; not aac.") }
        for (place, item) in batch.items.enumerated() where item.settings.responseFormat == .aac {
            throw APIError.field(path.appending("items").appending(place).appending("response_format"), "must be one of wav, pcm, flac, mp3, opus; not aac.")
        }
    }
}

extension GatewayRoutes {
    private static var speechDoc: RouteDoc {
        RouteDoc("Speech from text.", .speech)
            .takes(SpeechRequest.self, example: ["input": "Hello there.", "response_format": "wav"])
            .answersBytes(AudioFormat.allCases.map(\.contentType), "The sound; with `stream_format: audio` as it is made.")
            .streams([.inline { SpeechStreamEvent.schema }], "With `stream`: base64 sound in pieces.")
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
    }
}

extension WorkerRoutes {
    func addSpeech(to table: inout RouteTable) {
        table.add(.post, "/v1/audio/speech", "Speech from text.") { request, context in
            let (speech, _) = try context.decode(SpeechRequest.self, from: try await context.collectJSON(request))
            let model = try worker.require((any SpeechModel).self, task: "speech")
            try SpeechRules.check(speech, abilities: model.abilities)
            let scope = RequestScope(id: context.requestID)
            let generation = try await context.cancelOnDisconnect { try await speak(speech, by: model, scope: scope) }
            let ignored = (SpeechRules.ignored(speech, abilities: model.abilities) + generation.ignored).uniqued()
            let reply = SpeechReply(generation: generation, format: speech.responseFormat, scope: scope)
            var response: Response
            if speech.repliesWithEvents {
                response = context.eventStream { try await reply.sendEvents(to: $0, log: context.requestLogger) }
            } else if speech.isStreamed {
                response = reply.byteStream(context)
            } else {
                response = try await context.cancelOnDisconnect { try await reply.whole() }
            }
            if !ignored.isEmpty { response.headers[.xIgnoredParams] = ignored.joined(separator: ",") }
            return response
        }
        table.add(.post, "/v1/audio/speech/batch", "Speech from several texts.") { request, context in
            let (batch, _) = try context.decode(SpeechBatchRequest.self, from: try await context.collectJSON(request))
            let model = try worker.require((any SpeechModel).self, task: "speech")
            var reply = SpeechBatchReply()
            reply.id = RequestID.make("speech-batch-", digits: 16)
            for (index, speech) in batch.requests.enumerated() {
                reply.results.append(
                    try await context.cancelOnDisconnect { try await batchResult(speech, index: index, model: model, id: "\(context.requestID)-\(index)", log: context.requestLogger) })
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

    private func batchResult(_ speech: SpeechRequest, index: Int, model: any SpeechModel, id: String, log: Logger) async throws -> SpeechBatchReply.Result {
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

extension [String] {
    /// Each once, in the order of first appearance.
    func uniqued() -> [String] {
        var seen = Set<String>()
        return filter { seen.insert($0).inserted }
    }
}
