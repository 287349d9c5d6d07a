import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniRequests

/// `/v1/chat/completions` and its batches, answered in text, or with pictures by a model that makes nothing else.
struct ChatRoutes: RouteGroup {
    let worker: WorkerModel
    let pictures: ImageChats
    let speech: SpokenChatMeter

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/chat/completions", "An answer to a conversation.") { request, context in
            let body = try await context.collectJSON(request)
            if pictures.answersChats { return try await pictures.answer(body.json, context) }
            let (chat, ignored, coder) = try decode(body, context)
            let start = ChatStart(chat: chat, speech: coder.speech, adapter: try request.adapter)
            let model = try worker.model(as: (any TextModel).self)
            let reply = ChatReply(
                id: chat.requestID ?? context.requestID, model: start.adapter?.name ?? worker.servedName, request: chat,
                fingerprint: model.systemFingerprint)
            let isLong = body.isLong || chat.bringsMedia
            if chat.stream {
                return try await streamed(model, start, reply, coder, context: context, isLong: isLong, ignored: ignored)
            }
            let (whole, media) = try await context.cancelOnDisconnect(isLong: isLong) {
                let answer = try await collect(model, start, id: context.requestID)
                return (answer, try await coder.media(of: answer))
            }
            return .json(reply.completion(whole, media: media, wantsText: coder.wantsText), ignored: ignored)
        }
        table.add(.post, "/v1/chat/completions/batch", "Answers to several conversations at once.") { request, context in
            let body = try await context.collectJSON(request)
            let conversations = try ChatBatch(body.json).requests
            if pictures.answersChats { return try await pictures.answer(conversations, context) }
            let requests = try conversations.map { try ChatCompletionRequest(json: $0) }
            let adapter = try request.adapter
            let model = try worker.model(as: (any TextModel).self)
            let answers = try await context.cancelOnDisconnect(isLong: true) {
                try await withThrowingTaskGroup(of: (Int, ChatAnswer).self) { group in
                    for (place, chat) in requests.enumerated() {
                        group.addTask {
                            (place, try await collect(model, ChatStart(chat: chat, adapter: adapter), id: "\(context.requestID)-\(place)"))
                        }
                    }
                    return try await group.reduce(into: [Int: ChatAnswer]()) { $0[$1.0] = $1.1 }
                }
            }
            let reply = ChatReply(
                id: "batch-\(context.requestID)", model: adapter?.name ?? worker.servedName, request: requests[0],
                fingerprint: model.systemFingerprint)
            return .json(reply.completion(ChatAnswer(joining: requests.indices.compactMap { answers[$0] })))
        }
    }

    /// The request, and how what the model makes besides text is coded.
    private func decode(_ body: JSONBody, _ context: OmniContext) throws -> (ChatCompletionRequest, ignored: String?, ChatMediaCoder) {
        guard worker.capabilities?.contains(.spokenChat) == true else {
            let (chat, ignored) = try context.decode(ChatCompletionRequest.self, from: body)
            return (chat, ignored, ChatMediaCoder(audio: nil))
        }
        let stages = try SpeechStages(body.json)
        let plain = stages.chat(body).without(ChatAudioOptions.members)
        let (chat, unknown) = try context.decode(ChatCompletionRequest.self, from: plain)
        var unused = IgnoredFields()
        guard let audio = try ChatAudioOptions(body.json) else {
            unused.names = stages.withoutSound
            return (chat, context.joined(unused, to: unknown), ChatMediaCoder(audio: nil))
        }
        var coder = ChatMediaCoder(audio: audio)
        if let speaker = try worker.model() as? any SpokenChatModel {
            let answer = stages.answer(audio)
            try speaker.check(answer)
            coder.speech = answer
            unused.names = audio.ignored + stages.ignored
        } else {
            // It has one voice, and no stages that could be told anything.
            unused.names = audio.ignored + (audio.voice == nil ? [] : [audio.voiceField]) + stages.withoutSound
        }
        return (chat, context.joined(unused, to: unknown), coder)
    }

    /// A chat, and how it is to be spoken where it is.
    private struct ChatStart: Sendable {
        let chat: ChatCompletionRequest
        var speech: SpokenAnswer?
        var adapter: LoRAModule?

        func callAsFunction(_ model: any TextModel, scope: RequestScope) async throws -> TextGeneration {
            guard let speech, let speaker = model as? any SpokenChatModel else { return try await model.chat(chat, scope: scope) }
            return try await speaker.chat(chat, speech: speech, scope: scope)
        }
    }

    private func streamed(
        _ model: any TextModel, _ start: ChatStart, _ reply: ChatReply, _ coder: ChatMediaCoder, context: OmniContext, isLong: Bool,
        ignored: String?
    ) async throws -> Response {
        let scope = RequestScope(id: context.requestID, adapter: start.adapter)
        let chat = start.chat
        let times = AnswerTimes()
        // Started before the status goes out, so that what is wrong with the request has its own status.
        let generation = try await context.cancelOnDisconnect(isLong: isLong) { try await start(model, scope: scope) }
        return context.eventStream(ignored: ignored) { [times] sink in
            defer { scope.cancellation.cancel() }
            var times = times
            var counted = chat.streamOptions?.countsContinuously == true ? Usage(promptTokens: generation.promptTokens) : nil
            if coder.wantsText {
                for choice in 0..<chat.n { try await sink.write(reply.opening(choice, usage: counted)) }
            }
            for try await event in generation.events {
                times.note(event)
                if case .progress(let usage) = event { counted = usage }
                guard coder.wants(event) else { continue }
                let last = coder.audio == nil ? "text" : times.sound.began == nil ? nil : "audio"
                var chunk = reply.chunk(event, usage: counted, endsWith: last, times: times)
                if chunk == nil { chunk = try await coder.chunk(event, reply) }
                if let chunk { try await sink.write(chunk) }
            }
            try Task.checkCancellation()
            if coder.audio != nil { speech.count(times) }
            try await sink.done()
        }
    }

    /// The whole answer.
    private func collect(_ model: any TextModel, _ start: ChatStart, id: String) async throws -> ChatAnswer {
        let scope = RequestScope(id: id, adapter: start.adapter)
        defer { scope.cancellation.cancel() }
        var answer = ChatAnswer(to: start.chat)
        for try await event in try await start(model, scope: scope).events { answer.add(event) }
        try Task.checkCancellation()
        if start.speech != nil { speech.count(answer.times) }
        return answer
    }
}

extension ChatCompletionRequest {
    fileprivate var bringsMedia: Bool { messages.contains(where: \.bringsMedia) }
}

extension ChatMessage {
    /// Pictures and sounds are fetched and decoded before the work begins.
    var bringsMedia: Bool {
        guard case .parts(let parts) = content else { return false }
        return parts.contains { if case .text = $0 { false } else { true } }
    }
}
