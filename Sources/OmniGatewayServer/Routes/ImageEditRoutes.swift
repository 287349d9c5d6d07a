import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests

/// `/v1/images/edits`.
struct ImageEditRoutes: RouteGroup {
    let forwarder: Forwarder
    let limits: ImageRequestLimits
    let links: ImageLinks

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/images/edits", Self.imageEditDoc) { request, context in
            let (bytes, form) = try await context.collectForm(request)
            let (edit, known) = try context.decodeDrawing(ImageEditRequest.self, from: try form.editBody())
            let ignored = try context.naming(form.unknownFiles(known: ImageEditRequest.pictureNames), beside: known)
            let entry = try forwarder.catalogue.entry(named: edit.model, able: [.images], task: "image edits")
            if let size = edit.size { try limits.check(size) }
            guard edit.responseFormat == .url, !edit.stream else {
                return try await forwarder.forward(request, body: bytes, to: entry, context: context, ignored: ignored)
            }
            let reply = try await forwarder.send(request, body: bytes, to: entry, context: context)
            return try await links.reply(to: request, reply, from: entry, forwarder, context, ignored: ignored)
        }
    }
}

extension ImageEditRoutes {
    private static var imageEditDoc: RouteDoc {
        RouteDoc("Pictures changed after a prompt.", .images)
            .takesForm(
                ImageEditRequest.self,
                files: [
                    .init(
                        name: "image", mediaType: "image/*",
                        about:
                            "The picture to change: a file, or its address as `url`. As `image[]` several, where a model looks at several (`max_input_images` of `/v1/capabilities`)."
                    ),
                    .init(
                        name: "mask", mediaType: "image/*",
                        about: "Where to draw anew: where it is transparent, or without transparency where it is white."),
                    .init(name: "mask_image", mediaType: "image/*", about: "Where to draw anew: where it is white."),
                ]
            )
            .answers(ImageReply.self)
            .streams(
                [.object(ImageStreamEvent.self), .object(ErrorReply.self)],
                "With `stream`: previews and pictures as they form, progress as comments."
            )
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
    }
}
