import HTTPTypes
import Hummingbird
import OmniAPI
import OmniAccess
import OmniGateway
import OmniHTTP

/// `/v1/omni`: models are put to sleep and woken.
struct OperationRoutes: RouteGroup {
    let catalogue: Catalogue

    func add(to table: inout RouteTable) {
        let sleep = RouteDoc("Ends the workers of models; all their memory is free.", .models)
            .takes(SleepRequest.self, example: ["stage_ids": [0]]).answers(SleepReply.self).fails(.reading + [.notFound])
        table.add(.post, "/v1/omni/sleep", sleep) { request, context in
            let stages = try await stages(of: request, context)
            var acknowledgements: [JSONValue] = []
            for (place, entry) in stages {
                let slept = await entry.backend.sleep()
                acknowledgements.append(Self.acknowledgement(place, entry, done: slept))
            }
            return .json(["status": "SUCCESS", "acks": .array(acknowledgements)])
        }
        let wake = RouteDoc("Starts the workers of models that sleep or have failed, and waits until they serve.", .models)
            .takes(SleepRequest.self, example: ["stage_ids": [0]]).answers(SleepReply.self).fails(.reading + [.notFound, .unavailable])
        table.add(.post, "/v1/omni/wakeup", wake) { request, context in
            let stages = try await stages(of: request, context).filter { $0.entry.backend.status.canBeWoken }
            guard !stages.isEmpty else { return .json(["status": "SKIPPED", "reason": "Target stages are not sleeping."]) }
            var acknowledgements: [JSONValue] = []
            for (place, entry) in stages {
                let woken = try await entry.backend.wake()
                acknowledgements.append(Self.acknowledgement(place, entry, done: woken))
            }
            return .json(["status": "SUCCESS", "acks": .array(acknowledgements)])
        }
    }

    private func stages(of request: Request, _ context: OmniContext) async throws -> [(place: Int, entry: CatalogueEntry)] {
        // The peer reads this body whatever its content type says.
        let (body, _) = try context.decode(SleepRequest.self, from: try await context.collectJSON(request, ofAnyType: true))
        let entries = catalogue.entries
        if let model = body.model {
            guard let place = entries.firstIndex(where: { $0.names.contains(model) }) else {
                throw APIError.modelNotFound(model, served: entries.map(\.id))
            }
            try KeyLease.current?.check(model: entries[place].names)
            return [(place, entries[place])]
        }
        return try body.stageIDs.map { place in
            guard entries.indices.contains(place) else {
                throw APIError(
                    .badRequest, "There is no stage \(place).", remedy: "Stages are the models of /v1/models, 0 to \(entries.count - 1).",
                    param: "body.stage_ids")
            }
            try KeyLease.current?.check(model: entries[place].names)
            return (place, entries[place])
        }
    }

    private static func acknowledgement(_ place: Int, _ entry: CatalogueEntry, done: Bool) -> JSONValue {
        [
            "task_id": .string(RequestID.make(digits: 16)), "status": .string(done ? "SUCCESS" : "SKIPPED"), "stage_id": .int(place),
            "rank": 0,
            "freed_bytes": nil, "metadata": ["model": .string(entry.id)],
        ]
    }
}
