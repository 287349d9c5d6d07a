import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniHTTP

/// `/openapi.json`. To be added last, since it describes all routes and itself.
struct DocumentRoutes: RouteGroup {
    let sockets: WebSocketRoutes
    let version: String

    func add(to table: inout RouteTable) {
        let written = LateDocument()
        let doc = RouteDoc("This API, for programs: OpenAPI 3.1.", .server).answers(.inline { ["type": "object"] })
        table.add(.get, "/openapi.json", doc) { _, _ in
            let headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-cache"]
            return Response(status: .ok, headers: headers, body: .init(byteBuffer: written.bytes))
        }
        written.write(OpenAPIDocument(table, sockets: sockets, version: version))
    }
}
