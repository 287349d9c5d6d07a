import Logging
import NIOConcurrencyHelpers
import NIOCore
import OmniAPI
import OmniEngine

/// The models on offer, their health, and the way to them.
public final class Gateway: Sendable {
    public let catalogue: Catalogue
    public let client: UpstreamClient
    private struct Health {
        var report = HealthReport.none
        var isDraining = false
    }

    private let health = NIOLockedValueBox(Health())

    public init(catalogue: Catalogue, client: UpstreamClient) {
        self.catalogue = catalogue
        self.client = client
        refreshHealth()
    }

    /// What `/health` says, kept ready since it is asked often.
    public var currentHealth: HealthReport { health.withLockedValue { $0.report } }

    /// To be called after any backend changed its state.
    public func refreshHealth() {
        // Looked at and noted in one piece: of two at once the later must not be overwritten by the earlier.
        health.withLockedValue { health in
            health.report = HealthReport(catalogue.entries.map { ($0.id, $0.backend.status) }, isDraining: health.isDraining)
        }
    }

    /// From now on `/health` is 503, so that balancers look elsewhere while running requests end.
    public func beginDraining() {
        health.withLockedValue { $0.isDraining = true }
        refreshHealth()
    }

    public func shutdown() async {
        await withTaskGroup(of: Void.self) { group in
            for entry in catalogue.entries { group.addTask { await entry.backend.shutdown() } }
        }
        await client.shutdown()
    }

    /// Requests under way over all models.
    public var outstanding: Int { catalogue.entries.reduce(0) { $0 + $1.backend.outstanding } }
}

/// `/health` and `/health/ready` at one moment.
public struct HealthReport: Sendable {
    public let status: Int
    public let body: ByteBuffer
    public let readyStatus: Int
    public let readyBody: ByteBuffer

    static let none = HealthReport([], isDraining: false)

    /// 503 until the first model serves, and when none can; a model that sleeps can.
    init(_ models: [(id: String, status: BackendStatus)], isDraining: Bool) {
        let words = models.map(\.status.word)
        let canServe = words.contains("ready") || words.contains("asleep")
        status = canServe && !isDraining ? 200 : 503
        let verdict = isDraining ? "draining" : canServe ? "healthy" : words.contains("loading") ? "loading" : "unhealthy"
        var object = JSONObject([("status", .string(verdict))])
        object["models"] = .object(JSONObject(zip(models, words).map { ($0.id, .string($1)) }))
        let faults = models.compactMap { model -> (String, JSONValue)? in
            if case .failed(let reason) = model.status.state { (model.id, .string(reason)) } else { nil }
        }
        if !faults.isEmpty { object["faults"] = .object(JSONObject(faults)) }
        let careful = models.compactMap { model in model.status.safeMode.map { (model.id, JSONValue.string($0)) } }
        if !careful.isEmpty { object["safe_mode"] = .object(JSONObject(careful)) }
        body = ByteBuffer(bytes: JSONValue.object(object).jsonBytes)

        let progress = models.map { model -> Double in
            switch model.status.state {
            case .loading(let fraction): fraction
            case .restarting: 0
            default: 1
            }
        }
        let isLoading = words.contains("loading")
        let percent = progress.isEmpty ? 0 : Int(progress.reduce(0, +) / Double(progress.count) * 100)
        readyStatus = !isLoading && status == 200 ? 200 : 503
        object["ready"] = .bool(readyStatus == 200)
        object["progress_percent"] = .int(isLoading ? min(percent, 99) : 100)
        readyBody = ByteBuffer(bytes: JSONValue.object(object).jsonBytes)
    }
}
