import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniHTTP

extension ImageService {
    /// Previews and pictures as they come, with progress as comments. The status goes out with the first event.
    func stream(_ job: ImageJob, _ reply: ImagesReply, context: OmniContext, ignored: String?) async throws -> Response {
        let drawing = try await context.cancelOnDisconnect { try await begin(job, id: context.requestID) }
        return context.eventStream(ignored: ignored) { sink in
            try await meter.ending(job, arrived: drawing.arrived) {
                var clock = StageClock(start: drawing.start)
                try await drawing.run { event in
                    clock.note(event)
                    switch event {
                    case .progress(let stage, let step, let steps): try await sink.comment("\(stage.rawValue) \(step)/\(steps)")
                    case .preview(let index, let number, let image):
                        let file = try await ImageFile.encode(image, cropped: job.size, as: reply.output)
                        try await sink.event(reply.partialName, reply.partial(file, index: index, number: number))
                    case .image(let index, let image):
                        let file = try await self.file(image, job, reply.output)
                        try await sink.event(reply.completedName, reply.completed(file, index: index, of: job.count, clock))
                    }
                }
            }
            try await sink.done()
        }
    }
}
