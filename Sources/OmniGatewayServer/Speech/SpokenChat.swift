import Foundation
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests

/// A chat whose answer is spoken: the chat model's text goes, sentence by sentence as it comes, to a speech model
/// (API.md, section 7: `modalities: ["text","audio"]`).
struct SpokenChat: Sendable {
    let voices: VoiceResolver
    let catalogue: Catalogue
    let chat: CatalogueEntry
    let speech: CatalogueEntry
    let options: ChatAudioOptions
    let context: OmniContext

    /// The request as the chat model sees it: text only, streamed, with counts.
    func textRequest(_ json: JSONValue) -> UpstreamRequest {
        var members = json.objectValue ?? JSONObject()
        for key in ["modalities"] + ChatAudioOptions.members { members[key] = nil }
        members["stream"] = true
        members["stream_options"] = ["include_usage": true]
        return UpstreamRequest(posting: .object(members), to: "/v1/chat/completions", requestID: context.requestID)
    }

    /// The voice as a speech request names it; empty when it is left to the model.
    var voiceMember: JSONObject { JSONObject(options.voice.map { [("voice", .string($0))] } ?? []) }

    /// What the speech model makes of a text: a whole file in the requested format, or headerless samples.
    private func sound(of text: String, format: AudioFormat) async throws -> ChatSound {
        var members = voiceMember
        members["input"] = .string(text)
        members["response_format"] = .string(format.rawValue)
        members = try await voices.prepare(members, for: speech, in: catalogue).members
        let reply = try await speech.backend.send(
            UpstreamRequest(posting: .object(members), to: "/v1/audio/speech", requestID: context.requestID))
        guard reply.status == 200 else {
            let body = try await reply.text(upTo: 1 << 16)
            throw APIError(.internalError, (try? JSONValue.parse(body))?["error"]?["message"]?.stringValue ?? "The speech model failed.")
        }
        var sound = ChatSound(format: format)
        sound.sampleRate = reply.header("x-sample-rate").flatMap { Int($0) } ?? speech.backend.status.sampleRate
        for try await chunk in reply.body { sound.bytes += chunk.readableBytesView }
        return sound
    }

    /// Chunks of text as they come; the sound of each sentence follows when it is spoken, while text goes on. `finish_reason` once, on the
    /// last.
    func streamed(_ reply: UpstreamResponse, includeUsage: Bool, ignored: String?) -> Response {
        context.eventStream(ignored: ignored) { sink in
            let end = try await chat.reading(context.requestLogger) { try await speakWhileReading(reply, to: sink) }
            if let failure = end.failure {
                try await sink.data(failure)
                return try await sink.done()
            }
            try await sink.data(finalChunk(end))
            if includeUsage, let usage = end.usage, var members = end.template {
                members["choices"] = []
                members["usage"] = usage
                members["modality"] = nil
                try await sink.data(.object(members))
            }
            try await sink.done()
        }
    }

    /// What is known of an answer once all of it has come.
    private struct End: Sendable {
        /// Its first chunk.
        var template: JSONObject?
        var finish = JSONValue.null
        var usage: JSONValue?
        var metrics: JSONValue?
        /// What the chat model's server says instead of the rest.
        var failure: JSONValue?
    }

    private struct Sentence: Sendable {
        var text: String
        var template: JSONObject?
    }

    /// Sentences that may wait to be spoken before the text waits for them.
    private static let mostWaiting = 64

    private func speakWhileReading(_ reply: UpstreamResponse, to sink: EventSink) async throws -> End {
        let sentences = BoundedQueue<Sentence>(limit: Self.mostWaiting)
        return try await withThrowingTaskGroup(of: End?.self) { group in
            group.addTask {
                while let sentence = try await sentences.next() {
                    let sound = try await self.sound(of: sentence.text, format: options.format)
                    try await sink.data(audioChunk(sentence.template, sound))
                }
                return nil
            }
            group.addTask {
                defer { sentences.finish() }
                return try await read(reply, into: sentences, sink)
            }
            var end = End()
            do {
                for try await result in group {
                    guard let result else { continue }
                    end = result
                    // Nothing follows a failure.
                    if end.failure != nil { group.cancelAll() }
                }
            } catch is CancellationError where end.failure != nil {}
            return end
        }
    }

    private func read(_ reply: UpstreamResponse, into sentences: BoundedQueue<Sentence>, _ sink: EventSink) async throws -> End {
        var splitter = SentenceSplitter.ofAnswers
        var end = End()
        for try await data in SSEData(reply.body) {
            guard let json = try? JSONValue.parse(data), let members = json.objectValue else { continue }
            if let error = json["error"], !error.isNull {
                end.failure = json
                return end
            }
            let chunk = SpokenChunk(json)
            end.usage = chunk.usage ?? end.usage
            end.metrics = chunk.metrics ?? end.metrics
            end.finish = chunk.finish ?? end.finish
            guard let rest = chunk.rest else { continue }
            end.template = end.template ?? members
            if options.wantsText { try await sink.data(rest) }
            for text in splitter.push(chunk.text) { try await sentences.put(Sentence(text: text, template: end.template)) }
        }
        for text in splitter.flush() { try await sentences.put(Sentence(text: text, template: end.template)) }
        return end
    }

    private func audioChunk(_ template: JSONObject?, _ sound: ChatSound) -> JSONValue {
        var members = template ?? JSONObject()
        members["choices"] = [sound.choice()]
        members["modality"] = "audio"
        return .object(members)
    }

    private func finalChunk(_ end: End) -> JSONValue {
        var members = end.template ?? JSONObject()
        members["choices"] = [["index": 0, "delta": [:], "logprobs": nil, "finish_reason": end.finish.isNull ? "stop" : end.finish]]
        if let metrics = end.metrics { members["metrics"] = metrics }
        members["modality"] = "audio"
        return .object(members)
    }

    /// The whole answer: text, and its sound as one file.
    func whole(_ reply: UpstreamResponse) async throws -> JSONValue {
        let answer = try await chat.reading(context.requestLogger) { try await wholeText(reply) }
        var message = JSONObject([
            ("role", "assistant"), ("content", options.wantsText && !answer.text.isEmpty ? .string(answer.text) : .null), ("refusal", nil),
            ("annotations", nil), ("audio", nil), ("function_call", nil), ("reasoning", nil),
        ])
        var choice = JSONObject([
            ("index", 0), ("message", nil), ("logprobs", nil), ("finish_reason", answer.finish), ("stop_reason", nil), ("token_ids", nil),
        ])
        if answer.text.contains(where: { !$0.isWhitespace }) {
            let audio = try await sound(of: answer.text, format: options.format)
            message["audio"] = audio.message(
                id: RequestID.make("audio-", digits: 16), transcript: answer.text, now: Int(Date().timeIntervalSince1970))
            choice["audio_metadata"] = audio.metadata
        } else if answer.calls.isEmpty {
            throw APIError.invalid("modalities", "Audio was asked for, but the answer has no words to speak.")
        }
        if !answer.calls.isEmpty { message["tool_calls"] = .array(answer.calls.map(\.json)) }
        choice["message"] = .object(message)
        let head = answer.head
        return [
            "id": head["id"] ?? .null, "object": "chat.completion", "created": head["created"] ?? .null, "model": head["model"] ?? .null,
            "choices": [.object(choice)], "service_tier": nil, "system_fingerprint": nil, "usage": answer.usage,
            "metrics": answer.metrics,
        ]
    }

    /// What the chat model answers, before it is spoken.
    private struct Answer: Sendable {
        var text = ""
        var calls: [ToolCall] = []
        var finish = JSONValue.string("stop")
        var usage = JSONValue.null, metrics = JSONValue.null
        /// Its first chunk.
        var head = JSONObject()
    }

    private func wholeText(_ reply: UpstreamResponse) async throws -> Answer {
        var answer = Answer()
        for try await data in SSEData(reply.body) {
            guard data != "[DONE]" else { break }
            let chunk = try JSONValue.event(data), spoken = SpokenChunk(chunk)
            answer.usage = spoken.usage ?? answer.usage
            answer.metrics = spoken.metrics ?? answer.metrics
            answer.finish = spoken.finish ?? answer.finish
            answer.text += spoken.text
            for piece in spoken.calls { answer.calls.join(piece) }
            if answer.head.isEmpty { answer.head = chunk.objectValue ?? answer.head }
        }
        return answer
    }
}
