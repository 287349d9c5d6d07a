import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// `/v1/audio/speech` and its batches.
struct SpeechRoutes: RouteGroup {
    let forwarder: Forwarder
    let voices: VoiceResolver

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/audio/speech", Self.speechDoc) { request, context in
            let body = try await context.collectJSON(request)
            let (speech, ignored) = try context.decode(SpeechRequest.self, from: body)
            // Wrong on any server, whether it can speak or not.
            guard speech.input.contains(where: { !$0.isWhitespace }) else { throw APIError.invalid("input", "Input text cannot be empty") }
            let members = body.json.objectValue ?? JSONObject()
            let entry = try voices.entry(named: speech.model, for: members, in: forwarder.catalogue)
            let choice = try await voices.prepare(members, for: entry, in: forwarder.catalogue)
            let bytes = ByteBuffer(bytes: JSONValue.object(choice.members).jsonBytes)
            let names = (ignored.map { [$0] } ?? []) + choice.ignored
            return try await forwarder.forward(
                request, body: bytes, to: entry, context: context, ignored: names.isEmpty ? nil : names.joined(separator: ","),
                failure: .speech)
        }
        let batchDoc = RouteDoc("Speech from several texts.", .speech)
            .takes(SpeechBatchRequest.self, example: ["items": [["input": "Hello."], ["input": "Goodbye."]]])
            .answers(SpeechBatchReply.self, "Each text has its own status.")
            .fails(.reading + .serving)
        table.add(.post, "/v1/audio/speech/batch", batchDoc) { request, context in
            let body = try await context.collectJSON(request)
            let (batch, ignored) = try context.decode(SpeechBatchRequest.self, from: body)
            try Self.refuseAAC(batch)
            var members = body.json.objectValue ?? JSONObject()
            let entry = try voices.entry(named: batch.model, for: members, in: forwarder.catalogue)
            members = (try? await voices.prepare(members, for: entry, in: forwarder.catalogue).members) ?? members
            var items: [JSONValue] = []
            for item in members["items"]?.arrayValue ?? [] {
                // A voice that is not there is the item's own error, which the worker reports in its place.
                let prepared = try? await voices.prepare(item.objectValue ?? JSONObject(), for: entry, in: forwarder.catalogue)
                items.append(prepared.map { .object($0.members) } ?? item)
            }
            members["items"] = .array(items)
            return try await forwarder.forward(
                request, body: ByteBuffer(bytes: JSONValue.object(members).jsonBytes), to: entry, context: context, ignored: ignored)
        }
    }

    /// A batch knows the peer's formats only.
    private static func refuseAAC(_ batch: SpeechBatchRequest) throws {
        let path = WirePath.body
        if batch.settings.responseFormat == .aac {
            throw APIError.field(path.appending("response_format"), "must be one of wav, pcm, flac, mp3, opus; not aac.")
        }
        for (place, item) in batch.items.enumerated() where item.settings.responseFormat == .aac {
            throw APIError.field(
                path.appending("items").appending(place).appending("response_format"), "must be one of wav, pcm, flac, mp3, opus; not aac.")
        }
    }
}

extension SpeechRoutes {
    private static var speechDoc: RouteDoc {
        RouteDoc("Speech from text.", .speech)
            .takes(SpeechRequest.self, example: ["input": "Hello there.", "response_format": "wav"])
            .answersBytes(
                AudioFormat.allCases.map(\.contentType),
                "The sound; with `stream_format: audio` as it is made. `audio/pcm` has a parameter `rate`."
            )
            .streams([.inline { SpeechStreamEvent.schema }], "With `stream`: base64 sound in pieces.")
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .sends("X-Sample-Rate", "Hz of the sound.")
            .fails(.reading + .serving)
    }
}
