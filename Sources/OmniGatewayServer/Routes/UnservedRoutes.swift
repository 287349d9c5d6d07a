import HTTPTypes
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// Routes of the contract that no model of this build can serve yet: a named model that does not exist is 404, and so is
/// the absence of an able one, saying what is served.
struct UnservedRoutes: RouteGroup {
    let catalogue: Catalogue

    func add(to table: inout RouteTable) {
        let json: [(path: String, task: String, able: [ModelCapability])] = [
            ("/v1/audio/generate", "audio generation", [])
        ]
        for route in json {
            table.add(.post, route.path, Self.comingDoc(route.path).takes(.inline { ["type": "object"] })) { request, context in
                let body = try await context.collectJSON(request)
                _ = try catalogue.entry(named: body.json["model"]?.stringValue, able: route.able, task: route.task)
                throw APIError(.notFound, "No served model can do \(route.task).")
            }
        }
    }

    private static func comingDoc(_ path: String) -> RouteDoc {
        RouteDoc("No model of this build serves it yet.", path.contains("video") ? .videos : .speech).fails(
            .badRequest, .notFound, .tooLarge)
    }
}
