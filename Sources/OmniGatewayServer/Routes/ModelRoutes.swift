import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniAccess
import OmniEngine
import OmniGateway
import OmniHTTP

/// `/v1/models`.
struct ModelRoutes: RouteGroup {
    let catalogue: Catalogue

    func add(to table: inout RouteTable) {
        table.add(.get, "/v1/models", RouteDoc("The served models.", .models).answers(ModelList.self)) { _, _ in
            let entries = catalogue.offered.flatMap { entry in entry.names.map { Self.modelObject($0, entry) } }
            return .json(["object": "list", "data": .array(entries)])
        }
        let speaking = RouteDoc("The models that speak, as Open WebUI asks for them.", .speech).answers(AudioModelList.self)
        table.add(.get, "/v1/audio/models", speaking) { _, _ in
            .json(AudioModelList(catalogue.offered.filter { $0.kind != nil && $0.can(.speech) }.flatMap(\.names)).json)
        }
        // Names of models may hold a slash, and clients differ in whether they escape it.
        let one = RouteDoc("One served model.", .models, path: "/v1/models/{model}")
            .parameter("model", "Its name, slashes and all.").answers(ModelObject.self).fails(.notFound)
        table.add(.get, "/v1/models/**", one) { _, context in
            let escaped = context.parameters.getCatchAll().joined(separator: "/")
            let name = escaped.removingPercentEncoding ?? escaped
            let entry = try catalogue.entry(named: name)
            try KeyLease.current?.check(model: entry.names)
            return .json(Self.modelObject(entry.standsInFor == nil ? name : entry.id, entry))
        }
    }

    static func modelObject(_ name: String, _ entry: CatalogueEntry) -> JSONValue {
        let now = JSONValue.int(Int(Date().timeIntervalSince1970))
        let status = entry.backend.status
        var object: JSONValue = [
            "id": .string(name), "object": "model", "created": now, "owned_by": "swift-omni", "root": .string(status.root),
            "parent": .string(entry.parent),
            "max_model_len": status.maxModelLength.map { .int($0) } ?? .null,
            "kind": .string(entry.kind?.rawValue ?? "remote"), "state": .string(status.word),
            "input_parts": .array(status.inputParts.map { .string($0) }),
            "permission": [
                [
                    "id": .string(RequestID.make("modelperm-", digits: 16)), "object": "model_permission", "created": now,
                    "allow_create_engine": false, "allow_sampling": true, "allow_logprobs": true, "allow_search_indices": false,
                    "allow_view": true, "allow_fine_tuning": false, "organization": "*", "group": nil, "is_blocking": false,
                ]
            ],
        ]
        if let reason = status.safeMode, case .object(var members) = object {
            members["safe_mode"] = .string(reason)
            object = .object(members)
        }
        return object
    }
}
