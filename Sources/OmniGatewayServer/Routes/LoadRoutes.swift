import HTTPTypes
import Hummingbird
import OmniAPI
import OmniAccess
import OmniGateway
import OmniHTTP

/// `/v1/omni/load`, `/v1/omni/unload`: models are brought into memory and out of it by name.
struct LoadRoutes: RouteGroup {
    let catalogue: Catalogue

    func add(to table: inout RouteTable) {
        let load = RouteDoc("Loads a model, making room for it where that is limited, and waits until it serves.", .models)
            .takes(LoadModelRequest.self).answers(ModelLoad.self)
            .streams([.object(ModelLoad.self), .object(ErrorReply.self)], "With `stream`: an event for each change, then `[DONE]`.")
            .fails(.reading + .serving)
        table.add(.post, "/v1/omni/load", load) { request, context in
            let (asked, ignored) = try context.decode(LoadModelRequest.self, from: try await context.collectJSON(request))
            let entry = try named(asked.model)
            if let keepAlive = asked.keepAlive { entry.backend.keep(keepAlive) }
            guard asked.stream else {
                try await context.cancelOnDisconnect { try await entry.load() }
                return .json(ModelLoad(entry).json, ignored: ignored)
            }
            return context.eventStream(ignored: ignored) { sink in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        var told: ModelLoad?
                        while !Task.isCancelled {
                            let now = ModelLoad(entry)
                            if now != told, now.state != "ready" { try await sink.data(now.json) }
                            told = now
                            try await Task.sleep(for: .milliseconds(50))
                        }
                    }
                    defer { group.cancelAll() }
                    try await entry.load()
                }
                try await sink.data(ModelLoad(entry).json)
                try await sink.done()
            }
        }
        let unload = RouteDoc("Ends a model's worker once its requests have ended; all its memory is free.", .models)
            .takes(UnloadModelRequest.self).answers(ModelLoad.self)
            .fails(.reading + [.notFound])
        table.add(.post, "/v1/omni/unload", unload) { request, context in
            let (asked, ignored) = try context.decode(UnloadModelRequest.self, from: try await context.collectJSON(request))
            let entry = try named(asked.model)
            _ = await entry.backend.sleep()
            return .json(ModelLoad(entry).json, ignored: ignored)
        }
    }

    private func named(_ name: String) throws -> CatalogueEntry {
        let entry = try catalogue.entry(named: name)
        try KeyLease.current?.check(model: entry.names)
        return entry
    }
}

extension CatalogueEntry {
    /// Wakes its model where it sleeps or has failed, and returns when it serves. Throws ``APIError`` where it cannot.
    func load() async throws {
        _ = try await backend.wake()
        while true {
            switch backend.status.state {
            case .ready, .asleep: return
            case .failed(let reason):
                throw APIError(.unavailable, "The model `\(id)` cannot be served: \(reason)", retryAfter: 60)
            case .loading, .restarting: try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}

extension ModelLoad {
    fileprivate init(_ entry: CatalogueEntry) {
        self.init()
        let status = entry.backend.status
        (model, state) = (entry.id, status.word)
        if case .loading(let fraction) = status.state { progress = fraction }
        if status.state == .ready { memoryBytes = status.memoryBytes }
    }
}
