import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests

/// Chats whose answers are spoken by a second model.
struct SpokenChats: Sendable {
    let forwarder: Forwarder
    let voices: VoiceResolver
    /// Models that are a chat model and a speech model behind it.
    let pipelines: [SpeechPipeline]
    let decoder: ChatDecoder

    /// The reply to a chat whose answer is to be spoken; nil when it is not, or when the chat model does so itself. Without a named
    /// pipeline the default speech model speaks.
    func answer(_ body: JSONBody, _ context: OmniContext) async throws -> Response? {
        guard let options = try ChatAudioOptions(body.json), !speaksItself(body.json["model"]?.stringValue) else { return nil }
        let catalogue = forwarder.catalogue
        var json = body.json.objectValue ?? JSONObject()
        let pipeline = pipelines.first { $0.id == json["model"]?.stringValue }
        if let pipeline { json["model"] = .string(pipeline.chat) }
        var asked = json
        for key in ChatAudioOptions.members { asked[key] = nil }
        let (chat, unknown) = try decoder.decode(JSONBody(bytes: body.bytes, json: .object(asked)), context)
        guard chat.n == 1 else { throw APIError.invalid("n", "A spoken answer has one choice; n is \(chat.n).") }
        let entry = try catalogue.entry(named: chat.model, able: [.chat], task: "chat")
        let speech = try catalogue.entry(named: pipeline?.speech, able: [.speech], task: "speech")
        let spoken = SpokenChat(voices: voices, catalogue: catalogue, chat: entry, speech: speech, options: options, context: context)
        // A voice that is not there is told before a word is said.
        let voice = try await voices.prepare(spoken.voiceMember, for: speech, in: catalogue)
        var unused = IgnoredFields()
        // The sound is made all the same, in another voice.
        unused.names = options.ignored + (voice.ignored.isEmpty ? [] : [options.voiceField])
        let ignored = entry.telling(context.joined(unused, to: unknown))
        let reply = try await context.cancelOnDisconnect { [json] in try await entry.backend.send(spoken.textRequest(.object(json))) }
        // What is wrong with the request comes back as the chat model's own reply.
        guard reply.status == 200 else { return forwarder.relay(reply, from: entry, context: context, ignored: nil, failure: .chat) }
        if chat.stream { return spoken.streamed(reply, includeUsage: chat.streamOptions?.includeUsage ?? false, ignored: ignored) }
        return .json(try await context.cancelOnDisconnect { try await spoken.whole(reply) }, ignored: ignored)
    }

    /// Whether the chat model that would answer speaks by itself.
    private func speaksItself(_ name: String?) -> Bool {
        (try? forwarder.catalogue.entry(named: name, able: [.chat], task: "chat"))?.speaks ?? false
    }
}
