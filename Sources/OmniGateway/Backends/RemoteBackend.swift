import Logging
import NIOCore
import OmniAPI
import OmniAccess
import Synchronization

/// One or more servers elsewhere that serve the same model: ours, vLLM-Omni, or any that speaks the API. The one with the
/// fewest outstanding requests gets the next; one that refuses the connection is passed over until it answers again.
public final class RemoteBackend: Backend {
    private struct Place {
        let url: String
        let counter = OutstandingCounter()
        var isUp = true
    }

    public let id: String
    private let client: UpstreamClient
    private let apiKey: String?
    private let logger: Logger
    private let places: Mutex<[Place]>
    private let checks = Mutex<Task<Void, Never>?>(nil)
    private let onChange: @Sendable () -> Void
    private let clock: BackendClock

    /// `urls` are bases such as `http://host:8091`. `apiKey` is sent to them in place of the client's.
    public convenience init(
        id: String, urls: [String], apiKey: String?, client: UpstreamClient, logger: Logger, onChange: @escaping @Sendable () -> Void
    ) {
        self.init(id: id, urls: urls, apiKey: apiKey, client: client, clock: .system, logger: logger, onChange: onChange)
    }

    init(
        id: String, urls: [String], apiKey: String?, client: UpstreamClient, clock: BackendClock, logger: Logger,
        onChange: @escaping @Sendable () -> Void
    ) {
        self.clock = clock
        self.id = id
        self.client = client
        self.apiKey = apiKey
        self.logger = logger
        self.onChange = onChange
        places = Mutex(urls.map { Place(url: $0.hasSuffix("/") ? String($0.dropLast()) : $0) })
    }

    /// Begins to check every place's health, now and every five seconds.
    public func start() {
        checks.withLock { $0 = Task { while !Task.isCancelled { await self.checkAll(); try? await self.clock.sleep(.seconds(5)) } } }
    }

    public var outstanding: Int { places.withLock { $0.reduce(0) { $0 + $1.counter.count } } }

    public var status: BackendStatus {
        let (urls, isUp) = places.withLock { ($0.map(\.url), $0.contains(where: \.isUp)) }
        return BackendStatus(
            state: isUp ? .ready : .failed(reason: "None of \(urls.joined(separator: ", ")) answers."), root: urls.joined(separator: ","))
    }

    public func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        if request.opensAnswer { try KeyLease.current?.checkDebt() }
        var tried: Set<Int> = []
        var request = request
        if let apiKey { request.headers.append(("Authorization", "Bearer \(apiKey)")) }
        while let (index, url, counter) = next(except: tried, at: request.place) {
            let lease = OutstandingLease(counter)
            do {
                var response = try await client.send(request, to: url)
                response.body = response.body.holding(lease)
                response.place = url
                return response
            } catch UpstreamFailure.cancelled {
                throw CancellationError()
            } catch UpstreamFailure.refused {
                mark(index, isUp: false)
                tried.insert(index)
            } catch {
                logger.error("backend broke during a request", metadata: ["url": .string(url), "error": "\(error)"])
                throw APIError(
                    .internalError, "The backend of model `\(id)` closed the connection while it served this request.", remedy: "Try again."
                )
            }
        }
        throw APIError(.unavailable, "No server of model `\(id)` can be reached.", remedy: "Try again in a moment.", retryAfter: 5)
    }

    /// The place to ask next: up before down, then the least busy; `only` that one when it is named.
    private func next(except tried: Set<Int>, at only: String?) -> (Int, String, OutstandingCounter)? {
        places.withLock { places in
            places.indices.filter { !tried.contains($0) && (only == nil || places[$0].url == only) }
                .min { left, right in
                    (places[left].isUp ? 0 : 1, places[left].counter.count) < (places[right].isUp ? 0 : 1, places[right].counter.count)
                }
                .map { ($0, places[$0].url, places[$0].counter) }
        }
    }

    private func mark(_ index: Int, isUp: Bool) {
        let changed: String? = places.withLock { places in
            guard places[index].isUp != isUp else { return nil }
            places[index].isUp = isUp
            return places[index].url
        }
        guard let changed else { return }
        logger.log(
            level: isUp ? .info : .warning, isUp ? "backend is up" : "backend is down",
            metadata: ["url": .string(changed), "model": .string(id)])
        onChange()
    }

    private func checkAll() async {
        let urls = places.withLock { $0.map(\.url) }
        await withTaskGroup(of: Void.self) { group in
            for (index, url) in urls.enumerated() {
                group.addTask {
                    let request = UpstreamRequest(method: "GET", path: "/health", headers: [])
                    let reply = try? await self.client.send(request, to: url, headTimeout: .seconds(3))
                    let isUp = reply.map { $0.status < 500 } ?? false
                    _ = try? await reply?.body.collect(upTo: 1 << 16)
                    self.mark(index, isUp: isUp)
                }
            }
        }
    }

    public func sleep() async -> Bool { false }
    /// False: a place that is down is asked every five seconds anyhow.
    public func wake() async throws -> Bool { false }
    public func shutdown() async { checks.withLock { $0 }?.cancel() }
}
