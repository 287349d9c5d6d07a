import OmniAPI
import OmniEngine
import Synchronization

/// Room for models in memory: who comes waits until there is some, and for that idle models are put to sleep, never one that serves.
public final class ModelRoom: Sendable {
    private struct State {
        var members: [WorkerBackend] = []
        /// Who waits, in the order in which they came.
        var queue: [Int] = []
        var nextTicket = 0
    }

    private let limits: ModelRoomPlan.Limits
    private let clock: BackendClock
    private let state = Mutex(State())
    /// How long a request waits for others to end.
    private static let longestWait = Duration.seconds(60)

    /// - Parameters:
    ///   - models: `--models-max`: how many may be loaded; nil is no limit.
    ///   - bytes: `--models-memory`: what they may set aside together; nil is no limit.
    public convenience init(models: Int?, bytes: Int?) { self.init(.init(models: models, bytes: bytes), clock: .system) }

    init(_ limits: ModelRoomPlan.Limits, clock: BackendClock) { (self.limits, self.clock) = (limits, clock) }

    func join(_ member: WorkerBackend) { state.withLock { $0.members.append(member) } }

    /// Starts as many of its models as find room, pinned ones first, then in their order; the others sleep until they are asked.
    public func start() {
        let members = state.withLock { $0.members }
        let ordered = members.filter(\.isPinned) + members.filter { !$0.isPinned }
        guard limits.bytes != nil else { return ordered.forEach(begin) }
        // How much one takes is known once it is loaded.
        Task {
            for member in ordered {
                begin(member)
                await member.loaded()
            }
        }
    }

    private func begin(_ member: WorkerBackend) {
        if case .enter = decision(for: member) { member.apply(.wakeRequested) }
    }

    /// Where a model that was loaded takes more than its files let expect, others that are idle leave.
    func settle(_ newcomer: WorkerBackend) async {
        let memory = ModelRoomPlan.Limits(bytes: limits.bytes)
        while case .evict(let victim) = memory.decision(bytes: newcomer.estimatedBytes, among: residents(except: newcomer)) {
            guard await member(victim)?.sleep() == true else { return }
        }
    }

    /// Has `newcomer` start with `event` once there is room. Throws ``APIError``: 503 when those who are there stay busy, 507 when there
    /// will never be any.
    func enter(_ newcomer: WorkerBackend, by event: WorkerLifecycle.Event) async throws {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            state.queue.append(state.nextTicket)
            return state.nextTicket
        }
        defer { state.withLock { $0.queue.removeAll { $0 == ticket } } }
        let deadline = clock.now() + Self.longestWait
        while newcomer.residency == nil {
            try Task.checkCancellation()
            switch state.withLock({ $0.queue.first }) == ticket ? decision(for: newcomer) : .wait {
            case .enter: return newcomer.apply(event)
            case .evict(let victim): _ = await member(victim)?.sleep()
            case .wait:
                guard clock.now() < deadline else { throw busy(newcomer.id) }
                try await clock.sleep(.milliseconds(20))
            case .never(let reason):
                throw APIError(
                    .insufficientStorage, "The model `\(newcomer.id)` cannot be loaded: \(reason)",
                    remedy: "Start the server with a larger --models-max or --models-memory.")
            }
        }
    }

    private func decision(for newcomer: WorkerBackend) -> ModelRoomPlan.Decision {
        limits.decision(bytes: newcomer.estimatedBytes, among: residents(except: newcomer))
    }

    private func residents(except newcomer: WorkerBackend) -> [ModelRoomPlan.Resident] {
        state.withLock { $0.members }.filter { $0 !== newcomer }.compactMap(\.residency)
    }

    private func member(_ id: String) -> WorkerBackend? { state.withLock { $0.members.first { $0.id == id } } }

    private func busy(_ id: String) -> APIError {
        APIError(
            .unavailable, "The model `\(id)` waits for memory: those that are loaded are busy.", remedy: "Try again in a moment.",
            retryAfter: 10)
    }
}
