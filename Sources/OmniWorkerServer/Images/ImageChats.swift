import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniMedia
import OmniRequests

/// Chats that are answered with pictures.
struct ImageChats: Sendable {
    let images: ImageServices

    /// Whether it is so with this worker's model.
    var answersChats: Bool { images.worker.capabilities?.drawsChats ?? false }

    /// A chat answered with pictures.
    func answer(_ json: JSONValue, _ context: OmniContext) async throws -> Response {
        let (asked, unused) = try context.decodeImageChat(json)
        let service = try images.service()
        let job = try await context.cancelOnDisconnect { try await Self.job(asked, service) }
        let ignored = service.ignored(unused, by: job)
        let reply = ImageChatReply(id: asked.chat.requestID ?? context.requestID, model: images.worker.servedName)
        if asked.chat.stream { return try await streamChat(job, asked, service, reply, context: context, ignored: ignored) }
        let pictures = try await context.cancelOnDisconnect { try await service.draw(job, output: ImageOutput(), id: context.requestID) }
        return .json(reply.completion([reply.answer(pictures, to: asked)]), ignored: ignored)
    }

    /// Several conversations, one after the other, in one reply.
    func answer(_ conversations: [JSONValue], _ context: OmniContext) async throws -> Response {
        let asked = try conversations.map { try context.decodeImageChat($0).0 }
        let service = try images.service()
        let reply = ImageChatReply(id: "batch-\(context.requestID)", model: images.worker.servedName)
        let answers = try await context.cancelOnDisconnect {
            var answers: [ImageChatReply.Answer] = []
            for request in asked {
                let job = try await Self.job(request, service)
                answers.append(reply.answer(try await service.draw(job, output: ImageOutput(), id: context.requestID), to: request))
            }
            return answers
        }
        return .json(reply.completion(answers))
    }

    private func streamChat(
        _ job: ImageJob, _ asked: ImageChatRequest, _ service: ImageService, _ reply: ImageChatReply, context: OmniContext, ignored: String?
    ) async throws -> Response {
        let drawing = try await context.cancelOnDisconnect { try await service.begin(job, id: context.requestID) }
        return context.eventStream(ignored: ignored) { sink in
            let pictures = try await service.meter.ending(job, arrived: drawing.arrived) {
                var pictures = ImageService.Pictures(clock: StageClock(start: drawing.start))
                try await drawing.run { event in
                    pictures.clock.note(event)
                    switch event {
                    case .progress(let stage, let step, let steps): try await sink.comment("\(stage.rawValue) \(step)/\(steps)")
                    case .preview: break
                    case .image(_, let image): pictures.files.append(try await service.file(image, job, ImageOutput()))
                    }
                }
                return pictures
            }
            let answer = reply.answer(pictures, to: asked)
            try await sink.data(reply.chunk(answer))
            if asked.chat.streamOptions?.includeUsage == true { try await sink.data(reply.usageChunk(answer)) }
            try await sink.done()
        }
    }

    private static func job(_ asked: ImageChatRequest, _ service: ImageService) async throws -> ImageJob {
        let parameters = asked.parameters
        let urls = asked.pictures
        try service.check(pictures: urls.count, param: "body.messages")
        let inputs = service.inputs
        var pictures: [Picture] = []
        for url in urls { pictures.append(try await inputs.load(.url(url), param: "body.messages")) }
        let defaults = service.model.imageDefaults
        let own =
            pictures.first.map { service.size(of: $0) }
            ?? ImageSize(width: defaults.width, height: defaults.height)
        let asksSize = parameters.size ?? parameters.resolution.map(own.area(ofSquare:)) ?? own
        let size = ImageSize(width: parameters.width ?? asksSize.width, height: parameters.height ?? asksSize.height)
        try service.limits.check(size)
        var ignored = IgnoredFields()
        var job = ImageJob(
            prompt: asked.prompt, count: parameters.count, size: size, drawing: parameters.drawing,
            extras: try parameters.extras(ignored: &ignored),
            seed: ImageJob.seed(parameters.drawing.seed), adapters: try service.limits.adapters(parameters.drawing))
        job.strength = parameters.strength
        try await service.give(pictures, to: &job, param: "body.messages")
        return job
    }
}
