import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniGateway
import OmniHTTP
import OmniStore

/// Puts links in the place of pictures: `response_format: "url"`.
struct ImageLinks: Sendable {
    let pictures: LinkedPictures

    /// Most bytes of a reply that is read for its pictures.
    private static let mostBytes = 1 << 30

    /// A backend's reply with its pictures behind links of this server. What is no such reply is handed on.
    func reply(
        to request: Request, _ reply: UpstreamResponse, from entry: CatalogueEntry, _ forwarder: Forwarder, _ context: OmniContext,
        ignored: String?
    ) async throws -> Response {
        guard reply.status == 200, reply.header("content-type")?.hasPrefix("application/json") ?? false else {
            return forwarder.relay(reply, from: entry, context: context, ignored: ignored, failure: .chat)
        }
        let json = try await entry.reading(context.requestLogger) {
            try JSONValue.parse(try await context.cancelOnDisconnect { try await reply.text(upTo: Self.mostBytes) })
        }
        let type = "image/" + (json["output_format"]?.stringValue.map { $0 == "jpg" ? "jpeg" : $0 } ?? "png")
        var members = json.objectValue ?? JSONObject(), data: [JSONValue] = []
        for datum in json["data"]?.arrayValue ?? [] {
            guard var link = datum.objectValue, let bytes = datum["b64_json"]?.stringValue.flatMap(Base64.decode) else {
                data.append(datum)
                continue
            }
            let picture = try await pictures.keep(Array(bytes), contentType: type)
            link["b64_json"] = .null
            link["url"] = .string(Self.address(of: picture.id, asked: request))
            data.append(.object(link))
        }
        members["data"] = .array(data)
        return .json(.object(members), ignored: entry.telling(IgnoredParams.joined(ignored, reply.header("x-ignored-params"))))
    }

    /// Under the name by which the client reached this server, or the proxy before it.
    private static func address(of id: String, asked request: Request) -> String {
        let isSecure = request.headers[.init("X-Forwarded-Proto")!]?.lowercased() == "https"
        return "\(isSecure ? "https" : "http")://\(request.head.authority ?? "localhost")/v1/images/\(id)/content"
    }
}

/// `/v1/images/{id}/content`.
struct ImageContentRoutes: RouteGroup {
    let pictures: LinkedPictures

    func add(to table: inout RouteTable) {
        let doc = RouteDoc(
            "A picture that a reply with `response_format: url` linked to, for an hour. It takes no key: its id is one.", .images
        )
        .parameter("id", "From the link.")
        .answersBytes(ImageOutputFormat.mediaTypes, "The picture's file.")
        .fails(.notFound)
        table.add(.get, "/v1/images/{id}/content", doc) { request, context in
            let id = try context.parameters.require("id")
            guard let picture = await pictures.picture(id) else {
                throw APIError(
                    .notFound, "There is no picture `\(id.prefix(64))`.",
                    remedy: "Links last for an hour, less where many pictures are made, and end with the server: draw it again.",
                    param: "id")
            }
            let reply = FileReply(path: picture.path, contentType: picture.contentType, tag: picture.id, modified: picture.made)
            return try await reply.response(to: request, context)
        }
    }
}
