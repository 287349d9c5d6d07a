import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniMedia
import OmniRequests

/// `/v1/images/edits`.
struct ImageEditRoutes: RouteGroup {
    let images: ImageServices

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/images/edits", "Pictures changed after a prompt.") { request, context in
            let (_, form) = try await context.collectForm(request)
            let (edit, unused) = try context.decodeDrawing(ImageEditRequest.self, from: try form.editBody())
            let service = try images.service()
            let job = try await context.cancelOnDisconnect { try await Self.job(edit, form, service) }
            let ignored = service.ignored(unused, by: job)
            let reply = ImagesReply(kind: .edit, output: edit.output, detailed: edit.returnStageMetrics)
            if edit.stream { return try await service.stream(job, reply, context: context, ignored: ignored) }
            let pictures = try await context.cancelOnDisconnect { try await service.draw(job, output: edit.output, id: context.requestID) }
            return reply.whole(pictures, ignored: ignored)
        }
    }

    private static func job(_ edit: ImageEditRequest, _ form: Form, _ service: ImageService) async throws -> ImageJob {
        let sources = try form.pictures()
        guard !sources.isEmpty else {
            throw APIError.invalid(
                "body.image", "Field 'image' or 'url' is required.", remedy: "Send the picture as a file, or its address as url.")
        }
        // Decided before anything is fetched or decoded.
        let reference = try form.source("reference_image")
        let looks = service.model.imageDefaults.references != nil
        guard looks || sources.count == 1 else {
            throw APIError.invalid("body.image", "Received multiple input images. Only a single image is supported by this model.")
        }
        try service.check(pictures: sources.count + (looks && reference != nil ? 1 : 0), param: "body.image")
        let (inputs, limits) = (service.inputs, service.limits)
        if let edge = edit.resolution { try limits.check(ImageSize(width: edge, height: edge)) }
        var pictures: [Picture] = []
        for source in sources { pictures.append(try await inputs.load(source, param: "body.image")) }
        let own = service.size(of: pictures[0])
        let size = edit.size ?? edit.resolution.map(own.area(ofSquare:)) ?? own
        try limits.check(size)
        if let reference {
            pictures.append(try await inputs.load(reference, param: "body.reference_image"))
            guard looks else {
                throw APIError.invalid("body.reference_image", "This model takes no reference image.", remedy: "Leave it out.")
            }
        }
        var extra = IgnoredFields()
        var job = ImageJob(
            prompt: edit.prompt, count: edit.n, size: size, drawing: edit.drawing, extras: try edit.extras(ignored: &extra),
            seed: ImageJob.seed(edit.drawing.seed), adapters: try limits.adapters(edit.drawing))
        for name in ["mask", "mask[]", "mask_image"] {
            guard let mask = try form.source(name) else { continue }
            guard job.mask == nil else { throw APIError.invalid("body.mask", "The mask was given twice, as mask, mask[] or mask_image.") }
            job.mask = try await inputs.mask(inputs.load(mask, param: "body.\(name)"), byAlpha: name != "mask_image", size: size)
        }
        job.strength = edit.strength
        try await service.give(pictures, to: &job, param: "body.image")
        job.previews = edit.stream ? edit.partialImages : 0
        return job
    }
}

extension Form {
    /// The input pictures in the order of the form, files first, then addresses; `image[]` and `url[]` are other names of the same.
    fileprivate func pictures() throws -> [ImageSource] {
        let files = try parts.filter { ["image", "image[]"].contains($0.name) }.enumerated().map { index, part -> ImageSource in
            try part.source(.body.appending("image").appending(index))
        }
        return try files + parts.filter { ["url", "url[]"].contains($0.name) }.map { try $0.source(.body.appending("url")) }
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
