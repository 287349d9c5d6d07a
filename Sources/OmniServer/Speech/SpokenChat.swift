import Foundation
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway

/// A chat whose answer is spoken: the chat model's text goes, sentence by sentence as it comes, to a speech model
/// (API.md, section 7: `modalities: ["text","audio"]`).
struct SpokenChat: Sendable {
    /// `audio` of the request, and which of text and sound is wanted.
    struct Wish: Sendable {
        var voice: String?
        /// Where the voice was named, as `x-ignored-params` has it: `audio.voice`, `voice` or `speaker`.
        var voiceField = "audio.voice"
        var format = AudioFormat.wav
        var wantsText = true
        /// Fields about the sound that have no effect.
        var ignored: [String] = []

        /// The request's members that are read here, and not by the chat model.
        static let members = ["audio", "voice", "speaker"]

        /// Nil when the request asks for text alone.
        init?(_ json: JSONValue) throws {
            guard let modalities = json["modalities"]?.arrayValue?.compactMap(\.stringValue), modalities.contains("audio") else { return nil }
            for other in modalities where !["text", "audio"].contains(other) {
                throw APIError.invalid("modalities", "Unsupported output modalities \(other) for this model. Supported modalities: text, audio.")
            }
            wantsText = modalities.contains("text")
            ignored = (json["audio"]?.objectValue?.keys ?? []).filter { !["voice", "format"].contains($0) }.map { "audio.\($0)" }
            for (field, name) in [("audio.voice", json["audio"]?["voice"]), ("voice", json["voice"]), ("speaker", json["speaker"])] {
                guard let name, !name.isNull else { continue }
                if voice == nil, let text = name.stringValue { (voice, voiceField) = (text, field) } else { ignored.append(field) }
            }
            guard let name = json["audio"]?["format"]?.stringValue else { return }
            guard let known = AudioFormat(rawValue: name == "pcm16" ? "pcm" : name) else {
                throw APIError.invalid("audio.format", "Unsupported audio format \(name).", remedy: "Supported: wav, pcm, pcm16, flac, mp3, opus, aac.")
            }
            format = known
        }
    }

    /// What a chat request may say about its sound.
    static var schema: JSONValue {
        let formats = (AudioFormat.allCases.map(\.rawValue) + ["pcm16"]).map { JSONValue.string($0) }
        return [
            "type": "object",
            "properties": [
                "modalities": ["type": ["array", "null"], "items": ["type": "string"], "description": "[\"text\", \"audio\"] for a spoken answer."],
                "audio": [
                    "type": ["object", "null"],
                    "properties": ["voice": ["type": "string"], "format": ["type": "string", "enum": .array(formats)]],
                ],
            ],
        ]
    }

    let routes: GatewayRoutes
    let chat: CatalogueEntry
    let speech: CatalogueEntry
    let wish: Wish
    let context: OmniContext

    /// The request as the chat model sees it: text only, streamed, with counts.
    func textRequest(_ json: JSONValue) -> UpstreamRequest {
        var members = json.objectValue ?? JSONObject()
        for key in ["modalities"] + Wish.members { members[key] = nil }
        members["stream"] = true
        members["stream_options"] = ["include_usage": true]
        return UpstreamRequest(
            method: "POST", path: "/v1/chat/completions", headers: [("Content-Type", "application/json"), ("X-Request-Id", context.requestID)],
            body: ByteBuffer(bytes: JSONValue.object(members).jsonBytes))
    }

    /// The voice as a speech request names it; empty when it is left to the model.
    var voiceMember: JSONObject { JSONObject(wish.voice.map { [("voice", .string($0))] } ?? []) }

    /// The sound of one sentence: a whole file in the wished format, or headerless samples.
    func sound(of text: String, format: AudioFormat) async throws -> [UInt8] {
        var members = voiceMember
        members["input"] = .string(text)
        members["response_format"] = .string(format.rawValue)
        members = try await routes.voices.prepare(members, for: speech, in: routes.gateway.catalogue).members
        let reply = try await speech.backend.send(
            UpstreamRequest(
                method: "POST", path: "/v1/audio/speech", headers: [("Content-Type", "application/json"), ("X-Request-Id", context.requestID)],
                body: ByteBuffer(bytes: JSONValue.object(members).jsonBytes)))
        guard reply.status == 200 else {
            let body = try await reply.text(upTo: 1 << 16)
            throw APIError(.internalError, (try? JSONValue.parse(body))?["error"]?["message"]?.stringValue ?? "The speech model failed.")
        }
        var bytes: [UInt8] = []
        for try await chunk in reply.body { bytes += chunk.readableBytesView }
        return bytes
    }

    /// Chunks of text as they come, and after each sentence a chunk with its sound; `finish_reason` once, on the last.
    func streamed(_ reply: UpstreamResponse, includeUsage: Bool, ignored: String?) -> Response {
        context.eventStream(ignored: ignored) { sink in
            var splitter = SentenceSplitter()
            var template: JSONObject?
            var finish = JSONValue.null
            var usage: JSONValue?
            func speak(_ units: [String]) async throws {
                for unit in units {
                    try Task.checkCancellation()
                    let audio = try await sound(of: unit, format: wish.format)
                    try await sink.data(audioChunk(template, audio, finish: .null))
                }
            }
            for try await chunk in SSEData(reply.body) {
                guard let chunk = try? JSONValue.parse(chunk), let members = chunk.objectValue else { continue }
                if chunk["error"] != nil {
                    try await sink.data(chunk)
                    return try await sink.done()
                }
                guard let choice = chunk["choices"]?[0] else {
                    usage = chunk["usage"]
                    continue
                }
                template = template ?? members
                if let reason = choice["finish_reason"], !reason.isNull {
                    finish = reason
                    continue
                }
                if wish.wantsText { try await sink.data(chunk) }
                if let text = choice["delta"]?["content"]?.stringValue { try await speak(splitter.push(text)) }
            }
            try await speak(splitter.flush())
            try await sink.data(finalChunk(template, finish: finish))
            if includeUsage, let usage, var members = template {
                members["choices"] = []
                members["usage"] = usage
                members["modality"] = nil
                try await sink.data(.object(members))
            }
            try await sink.done()
        }
    }

    private func audioChunk(_ template: JSONObject?, _ audio: [UInt8], finish: JSONValue) -> JSONValue {
        var members = template ?? JSONObject()
        members["choices"] = [
            [
                "index": 0, "delta": ["role": "assistant", "content": .string(audio.base64)], "logprobs": nil, "finish_reason": finish, "stop_reason": nil,
                "audio_metadata": metadata(bytes: audio),
            ]
        ]
        members["modality"] = "audio"
        return .object(members)
    }

    private func finalChunk(_ template: JSONObject?, finish: JSONValue) -> JSONValue {
        var members = template ?? JSONObject()
        members["choices"] = [["index": 0, "delta": [:], "logprobs": nil, "finish_reason": finish.isNull ? "stop" : finish]]
        members["modality"] = "audio"
        return .object(members)
    }

    /// What a client needs to play a chunk; the rate stands in a WAV's own header.
    func metadata(bytes: [UInt8]) -> JSONValue {
        let isWAV = wish.format == .wav && bytes.count >= 44
        let rate = isWAV ? (24..<28).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) } : speechRate
        let frames: JSONValue = isWAV ? .int((bytes.count - 44) / 2) : wish.format == .pcm ? .int(bytes.count / 2) : .null
        return ["format": .string(wish.format.rawValue), "sample_rate_hz": rate.map { .int($0) } ?? .null, "frame_count": frames, "channels": 1]
    }

    private var speechRate: Int? { speech.backend.status.sampleRate }

    /// The whole answer: text, and its sound as one file.
    func whole(_ reply: UpstreamResponse) async throws -> JSONValue {
        var text = ""
        var finish = JSONValue.string("stop")
        var usage = JSONValue.null
        var head = JSONObject()
        for try await data in SSEData(reply.body) {
            guard let chunk = try? JSONValue.parse(data) else { continue }
            if let error = chunk["error"] { throw APIError(.internalError, error["message"]?.stringValue ?? "The chat model failed.") }
            guard let choice = chunk["choices"]?[0] else {
                usage = chunk["usage"] ?? .null
                continue
            }
            if head.isEmpty { head = chunk.objectValue ?? head }
            text += choice["delta"]?["content"]?.stringValue ?? ""
            if let reason = choice["finish_reason"], !reason.isNull { finish = reason }
        }
        guard text.contains(where: { !$0.isWhitespace }) else { throw APIError.invalid("modalities", "Audio was asked for, but the answer has no words to speak.") }
        let audio = try await sound(of: text, format: wish.format)
        let sound: JSONValue = [
            "id": .string(RequestID.make("audio-", digits: 16)), "data": .string(audio.base64), "expires_at": .int(Int(Date().timeIntervalSince1970) + 86_400),
            "transcript": .string(text),
        ]
        return [
            "id": head["id"] ?? .null, "object": "chat.completion", "created": head["created"] ?? .null, "model": head["model"] ?? .null,
            "choices": [
                [
                    "index": 0,
                    "message": [
                        "role": "assistant", "content": wish.wantsText ? .string(text) : .null, "refusal": nil, "annotations": nil, "audio": sound,
                        "function_call": nil, "reasoning": nil,
                    ],
                    "logprobs": nil, "finish_reason": finish, "stop_reason": nil, "token_ids": nil, "audio_metadata": metadata(bytes: audio),
                ]
            ],
            "service_tier": nil, "system_fingerprint": nil, "usage": usage, "metrics": nil,
        ]
    }
}

extension GatewayRoutes {
    /// The reply to a chat whose answer is to be spoken; nil when it is not. Without a named pipeline the default speech model
    /// speaks.
    func spokenAnswer(_ body: JSONBody, _ context: OmniContext) async throws -> Response? {
        guard let wish = try SpokenChat.Wish(body.json) else { return nil }
        var json = body.json.objectValue ?? JSONObject()
        let pipeline = pipelines.first { $0.id == json["model"]?.stringValue }
        if let pipeline { json["model"] = .string(pipeline.chat) }
        var asked = json
        for key in SpokenChat.Wish.members { asked[key] = nil }
        let (chat, unknown) = try context.decodeChat(JSONBody(bytes: body.bytes, json: .object(asked)))
        guard chat.n == 1 else { throw APIError.invalid("n", "A spoken answer has one choice; n is \(chat.n).") }
        let entry = try gateway.catalogue.entry(named: chat.model, kinds: [.text], task: "chat")
        let speech = try gateway.catalogue.entry(named: pipeline?.speech, kinds: [.speech], task: "speech")
        let spoken = SpokenChat(routes: self, chat: entry, speech: speech, wish: wish, context: context)
        // A voice that is not there is told before a word is said.
        let voice = try await voices.prepare(spoken.voiceMember, for: speech, in: gateway.catalogue)
        var unused = IgnoredFields()
        // The sound is made all the same, in another voice.
        unused.names = wish.ignored + (voice.ignored.isEmpty ? [] : [wish.voiceField])
        let ignored = context.joined(unused, to: unknown)
        let reply = try await context.cancelOnDisconnect { [json] in try await entry.backend.send(spoken.textRequest(.object(json))) }
        // What is wrong with the request comes back as the chat model's own reply.
        guard reply.status == 200 else { return relay(reply, from: entry, context: context, ignored: nil, failure: .chat) }
        if chat.stream { return spoken.streamed(reply, includeUsage: chat.streamOptions?.includeUsage ?? false, ignored: ignored) }
        return .json(try await context.cancelOnDisconnect { try await spoken.whole(reply) }, ignored: ignored)
    }
}

/// The `data:` lines of an event stream, without `[DONE]`.
struct SSEData: AsyncSequence {
    typealias Element = String
    let body: UpstreamBody

    init(_ body: UpstreamBody) { self.body = body }

    struct AsyncIterator: AsyncIteratorProtocol {
        var body: UpstreamBody.AsyncIterator
        var buffer = ByteBuffer()

        mutating func next() async throws -> String? {
            while true {
                while let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = buffer.readString(length: end - buffer.readerIndex) ?? ""
                    buffer.moveReaderIndex(forwardBy: 1)
                    guard line.hasPrefix("data:") else { continue }
                    let data = line.dropFirst(5).trimming()
                    if data == "[DONE]" { return nil }
                    return data
                }
                guard var more = try await body.next() else { return nil }
                buffer.discardReadBytes()
                buffer.writeBuffer(&more)
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: body.makeAsyncIterator()) }
}
