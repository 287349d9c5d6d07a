import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniMedia

extension GatewayRoutes {
    func addImageEdits(to table: inout RouteTable) {
        table.add(.post, "/v1/images/edits", Self.imageEditDoc) { request, context in
            let (bytes, form) = try await context.collectForm(request)
            let (edit, ignored) = try context.decodeDrawing(ImageEditRequest.self, from: try form.editBody())
            let entry = try gateway.catalogue.entry(named: edit.model, kinds: [.image], task: "image edits")
            if let size = edit.size { try context.limits.images.check(size) }
            return try await forward(request, body: bytes, to: entry, context: context, ignored: ignored)
        }
    }
}

extension GatewayRoutes {
    private static var imageEditDoc: RouteDoc {
        RouteDoc("Pictures changed after a prompt.", .images)
            .takesForm(
                ImageEditRequest.self,
                files: [
                    .init(name: "image", mediaType: "image/*", about: "The picture to change: a file, or its address as `url`."),
                    .init(name: "mask", mediaType: "image/*", about: "Where to draw anew: where it is transparent, or without transparency where it is white."),
                    .init(name: "mask_image", mediaType: "image/*", about: "Where to draw anew: where it is white."),
                ])
            .answers(ImageReply.self)
            .streams([.object(ImageStreamEvent.self), .object(ErrorReply.self)], "With `stream`: previews and pictures as they form, progress as comments.")
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
    }
}

extension WorkerRoutes {
    func addImageEdits(to table: inout RouteTable) {
        table.add(.post, "/v1/images/edits", "Pictures changed after a prompt.") { request, context in
            let (_, form) = try await context.collectForm(request)
            let (edit, ignored) = try context.decodeDrawing(ImageEditRequest.self, from: try form.editBody())
            let studio = try studio(context, task: "image edits")
            let job = try await context.cancelOnDisconnect { try await Self.job(edit, form, studio) }
            let reply = ImagesReply(kind: .edit, output: edit.output, detailed: edit.returnStageMetrics)
            if edit.stream { return try await stream(job, studio, reply, context: context, ignored: ignored) }
            let pictures = try await context.cancelOnDisconnect { try await studio.draw(job, output: edit.output, id: context.requestID) }
            return reply.whole(pictures, ignored: ignored)
        }
    }

    private static func job(_ edit: ImageEditRequest, _ form: Form, _ studio: ImageStudio) async throws -> ImageJob {
        let sources = try form.pictures()
        guard let source = sources.first else {
            throw APIError.invalid("body.image", "Field 'image' or 'url' is required.", remedy: "Send the picture as a file, or its address as url.")
        }
        // Decided before anything is fetched or decoded.
        guard sources.count == 1 else {
            throw APIError.invalid("body.image", "Received multiple input images. Only a single image is supported by this model.")
        }
        let (inputs, limits) = (studio.inputs, studio.limits)
        if let edge = edit.resolution { try limits.check(ImageSize(width: edge, height: edge)) }
        let picture = try await inputs.load(source, param: "body.image")
        let own = ImageSize(width: picture.width, height: picture.height)
        let size = edit.size ?? edit.resolution.map(own.area(ofSquare:)) ?? own
        try limits.check(size)
        if let reference = try form.source("reference_image") {
            _ = try await inputs.load(reference, param: "body.reference_image")
            throw APIError.invalid("body.reference_image", "This model takes no reference image.", remedy: "Leave it out.")
        }
        var extra = IgnoredFields()
        var job = ImageJob(
            prompt: edit.prompt, count: edit.n, size: size, drawing: edit.drawing, extras: try edit.extras(ignored: &extra),
            seed: ImageJob.seed(edit.drawing.seed), adapters: try limits.adapters(edit.drawing))
        job.source = try await inputs.resized(picture, to: size)
        for name in ["mask", "mask_image"] {
            guard let mask = try form.source(name) else { continue }
            guard job.mask == nil else { throw APIError.invalid("body.mask", "The mask was given twice, as mask and as mask_image.") }
            job.mask = try await inputs.mask(inputs.load(mask, param: "body.\(name)"), byAlpha: name == "mask", size: size)
        }
        job.strength = edit.strength
        job.previews = edit.stream ? edit.partialImages : 0
        return job
    }
}

extension Form {
    /// The text fields, for ``ImageEditRequest``.
    fileprivate func editBody() throws -> JSONBody {
        JSONBody(bytes: ByteBuffer(), json: try json(excluding: ImageEditRequest.pictureNames))
    }

    /// The input pictures: files first, then addresses; the names with brackets count only where the plain ones are absent.
    fileprivate func pictures() throws -> [ImageSource] {
        let plain = self["image"]
        let files = try (plain.isEmpty ? self["image[]"] : plain).enumerated().map { index, part -> ImageSource in
            try part.source(.body.appending("image").appending(index))
        }
        let urls = self["url"].isEmpty ? self["url[]"] : self["url"]
        return try files + urls.map { try $0.source(.body.appending("url")) }
    }

    /// A picture in a field of its own, as a file or as an address.
    fileprivate func source(_ name: String) throws -> ImageSource? {
        guard let part = self[name].first, part.fileName != nil || part.body.readableBytes > 0 else { return nil }
        return try part.source(.body.appending(name))
    }
}

extension FormPart {
    fileprivate func source(_ path: WirePath) throws -> ImageSource {
        guard let fileName else {
            guard let text else { throw APIError.field(path, "must be a file, a data: URL or an http(s) URL.") }
            return .url(text)
        }
        guard !fileName.isEmpty else { throw APIError.field(path, "has an empty file name.") }
        return .file(body)
    }
}
