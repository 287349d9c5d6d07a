import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests

/// `/v1/images/generations`.
struct ImageGenerationRoutes: RouteGroup {
    let forwarder: Forwarder
    let limits: ImageRequestLimits
    let links: ImageLinks

    func add(to table: inout RouteTable) {
        let doc = RouteDoc("Pictures from a prompt.", .images)
            .takes(ImageGenerationRequest.self, example: ["prompt": "a cup of coffee on a table", "size": "512x512"])
            .answers(ImageReply.self)
            .streams(
                [.object(ImageStreamEvent.self), .object(ErrorReply.self)],
                "With `stream`: previews and pictures as they form, progress as comments."
            )
            .answersBytes(ImageOutputFormat.mediaTypes + ["application/zip"], "With `response_format: file`.")
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
        table.add(.post, "/v1/images/generations", doc) { request, context in
            let body = try await context.collectImageJSON(request)
            let (decoded, ignored) = try context.decodeDrawing(ImageGenerationRequest.self, from: body)
            let entry = try forwarder.catalogue.entry(named: decoded.model, able: [.images], task: "image generation")
            if let size = decoded.size { try limits.check(size) }
            guard decoded.responseFormat == .url, !decoded.stream else {
                return try await forwarder.forward(request, body: body.bytes, to: entry, context: context, ignored: ignored)
            }
            // Models know no links.
            var members = body.json.objectValue ?? JSONObject()
            members["response_format"] = .string(ImageResponseFormat.base64.rawValue)
            let bytes = ByteBuffer(bytes: JSONValue.object(members).jsonBytes)
            let reply = try await forwarder.send(request, body: bytes, to: entry, context: context)
            return try await links.reply(to: request, reply, from: entry, forwarder, context, ignored: ignored)
        }
    }
}
