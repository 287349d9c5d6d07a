import Foundation
import OmniAPI
import OmniStore
import OmniWorkerAPI
import Synchronization

/// What is known of jobs beside their rows: progress, and who wants to hear of it. Lost with the process, on purpose.
public final class JobProgressTracker: Sendable {
    private struct State {
        var progress: [String: JobProgress] = [:]
        var speeds: [String: JobSpeed] = [:]
        var watchers: [String: [Int: AsyncStream<Void>.Continuation]] = [:]
        var nextWatcher = 0
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> Double

    public init(now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }) { self.now = now }

    func begin(_ id: String) {
        state.withLock { $0.progress[id] = JobProgress(now: now()) }
        tell(id)
    }

    func report(_ id: String, _ stage: VideoTaskStage, step: Int, steps: Int) {
        state.withLock { $0.progress[id]?.report(stage, step: step, steps: steps, now: now()) }
        tell(id)
    }

    /// Forgets a job that runs no more; the seconds that each stage took. `learning`: it was completed, and its speed is the
    /// model's.
    @discardableResult
    func end(_ id: String, model: String, learning: Bool) -> [VideoTaskStage: Double] {
        let stages = state.withLock { state -> [VideoTaskStage: Double] in
            guard let progress = state.progress.removeValue(forKey: id) else { return [:] }
            if learning {
                let speed = JobSpeed(progress, now: now())
                if state.speeds[model] == nil { state.speeds[model] = speed } else { state.speeds[model]?.learn(speed) }
            }
            return progress.durations(now: now())
        }
        tell(id)
        return stages
    }

    public func progress(_ id: String) -> JobProgress? { state.withLock { $0.progress[id] } }

    /// A guess of the seconds until a job is over. `running`: those of its model that run now.
    public func secondsLeft(_ job: StoredJob, place: Int?, running: [String]) -> Double? {
        state.withLock { state in
            let speed = state.speeds[job.model]
            if let progress = state.progress[job.id] { return progress.secondsLeft(now: now(), speed: speed) }
            guard let place, let speed else { return nil }
            let ahead =
                running.compactMap { state.progress[$0]?.secondsLeft(now: now(), speed: speed) }.min()
                ?? (running.isEmpty ? 0 : speed.seconds)
            return ahead + Double(place + 1) * speed.seconds
        }
    }

    // MARK: - Watching

    /// An element whenever something about a job may have changed; changes that come while the reader is busy are one. Begins
    /// with one.
    public func changes(of id: String) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let ticket = state.withLock { state in
            state.nextWatcher += 1
            state.watchers[id, default: [:]][state.nextWatcher] = continuation
            return state.nextWatcher
        }
        continuation.onTermination = { [weak self] _ in self?.leave(id, ticket) }
        continuation.yield()
        return stream
    }

    private func leave(_ id: String, _ ticket: Int) {
        state.withLock { state in
            state.watchers[id]?[ticket] = nil
            if state.watchers[id]?.isEmpty == true { state.watchers[id] = nil }
        }
    }

    func tell(_ id: String) {
        for watcher in state.withLock({ $0.watchers[id].map { Array($0.values) } ?? [] }) { watcher.yield() }
    }
}
