import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniRequests

/// `/v1/images/generations`.
struct ImageGenerationRoutes: RouteGroup {
    let images: ImageServices

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/images/generations", "Pictures from a prompt.") { request, context in
            let (asked, unused) = try context.decodeDrawing(ImageGenerationRequest.self, from: try await context.collectImageJSON(request))
            let service = try images.service()
            var unknown = IgnoredFields()
            let size = asked.size ?? ImageSize(width: service.model.imageDefaults.width, height: service.model.imageDefaults.height)
            try service.limits.check(size)
            var job = ImageJob(
                prompt: asked.prompt, count: asked.n, size: size, drawing: asked.drawing, extras: try asked.extras(ignored: &unknown),
                seed: ImageJob.seed(asked.drawing.seed), adapters: try service.limits.adapters(asked.drawing))
            let ignored = service.ignored(unused, by: job)
            let reply = ImagesReply(kind: .generation, output: asked.output, detailed: asked.returnStageMetrics)
            if asked.stream {
                job.previews = asked.partialImages
                return try await service.stream(job, reply, context: context, ignored: ignored)
            }
            let pictures = try await context.cancelOnDisconnect { [job] in
                try await service.draw(job, output: asked.output, id: context.requestID)
            }
            return asked.responseFormat == .file ? reply.files(pictures, ignored: ignored) : reply.whole(pictures, ignored: ignored)
        }
    }
}
