import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway

extension GatewayRoutes {
    func addImageGenerations(to table: inout RouteTable) {
        let doc = RouteDoc("Pictures from a prompt.", .images)
            .takes(ImageGenerationRequest.self, example: ["prompt": "a cup of coffee on a table", "size": "512x512"])
            .answers(ImageReply.self)
            .streams([.object(ImageStreamEvent.self), .object(ErrorReply.self)], "With `stream`: previews and pictures as they form, progress as comments.")
            .answersBytes(ImageOutputFormat.mediaTypes + ["application/zip"], "With `response_format: file`.")
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
        table.add(.post, "/v1/images/generations", doc) { request, context in
            let body = try await context.collectImageJSON(request)
            let (decoded, ignored) = try context.decodeDrawing(ImageGenerationRequest.self, from: body)
            let entry = try gateway.catalogue.entry(named: decoded.model, kinds: [.image], task: "image generation")
            if let size = decoded.size { try context.limits.images.check(size) }
            return try await forward(request, body: body.bytes, to: entry, context: context, ignored: ignored)
        }
    }
}

extension WorkerRoutes {
    func addImageGenerations(to table: inout RouteTable) {
        table.add(.post, "/v1/images/generations", "Pictures from a prompt.") { request, context in
            let (asked, ignored) = try context.decodeDrawing(ImageGenerationRequest.self, from: try await context.collectImageJSON(request))
            let studio = try studio(context, task: "image generation")
            var unknown = IgnoredFields()
            let size = asked.size ?? ImageSize(width: studio.model.imageDefaults.width, height: studio.model.imageDefaults.height)
            try context.limits.images.check(size)
            var job = ImageJob(
                prompt: asked.prompt, count: asked.n, size: size, drawing: asked.drawing, extras: try asked.extras(ignored: &unknown),
                seed: ImageJob.seed(asked.drawing.seed), adapters: try studio.limits.adapters(asked.drawing))
            let reply = ImagesReply(kind: .generation, output: asked.output, detailed: asked.returnStageMetrics)
            if asked.stream {
                job.previews = asked.partialImages
                return try await stream(job, studio, reply, context: context, ignored: ignored)
            }
            let pictures = try await context.cancelOnDisconnect { [job] in try await studio.draw(job, output: asked.output, id: context.requestID) }
            return asked.responseFormat == .file ? reply.files(pictures, ignored: ignored) : reply.whole(pictures, ignored: ignored)
        }
    }

    /// Previews and pictures as they come, with progress as comments. The status goes out with the first event.
    func stream(_ job: ImageJob, _ studio: ImageStudio, _ reply: ImagesReply, context: OmniContext, ignored: String?) async throws -> Response {
        let drawing = try await context.cancelOnDisconnect { try await studio.begin(job, id: context.requestID) }
        return context.eventStream(ignored: ignored) { sink in
            try await studio.meter.running(job) {
                var clock = StageClock(start: drawing.start)
                try await drawing.run { event in
                    clock.note(event)
                    switch event {
                    case .progress(let stage, let step, let steps): try await sink.comment("\(stage.rawValue) \(step)/\(steps)")
                    case .preview(let index, let number, let image):
                        let file = try await ImageFile.encode(image, cropped: job.size, as: reply.output)
                        try await sink.event(reply.partialName, reply.partial(file, index: index, number: number))
                    case .image(let index, let image):
                        let file = try await studio.file(image, job, reply.output)
                        try await sink.event(reply.completedName, reply.completed(file, index: index, of: job.count, clock))
                    }
                }
            }
            try await sink.done()
        }
    }
}

extension OmniContext {
    /// As ``collectJSON(_:ofAnyType:)``, but no body at all is a fault of the body.
    func collectImageJSON(_ request: Request) async throws -> JSONBody {
        let body = try await collectJSON(request)
        if request.headers[.contentLength] == "0" || (request.headers[.contentLength] == nil && request.headers[.transferEncoding] == nil) {
            throw APIError.field(.body, "is empty; a JSON object is required.")
        }
        return body
    }

    /// As ``decode(_:from:)``; fields that have no effect and unknown `extra_params` are named among the ignored ones.
    func decodeDrawing<Body: DrawingRequest>(_ type: Body.Type, from body: JSONBody) throws -> (Body, ignored: String?) {
        let (value, header) = try decode(type, from: body)
        var ignored = IgnoredFields()
        _ = try value.extras(ignored: &ignored)
        if limits.strictParameters, let name = ignored.names.first {
            throw APIError(.badRequest, "Unknown field `\(name)`.", remedy: "The server runs with --strict-params.", param: "body.\(name)")
        }
        ignored.names += Body.unusedNames.filter { body.json[$0].map { !$0.isNull } ?? false } + value.idleNames
        return (value, joined(ignored, to: header))
    }
}

extension EventSink {
    /// A comment, which clients skip.
    func comment(_ text: String) async throws { try await write(ByteBuffer(string: ": \(text)\n\n")) }
}
