import Foundation
import OmniAPI
import OmniEngine
import OmniRequests

/// A job whose turn has come and whose first event is there: from here on it runs.
///
/// Letting it go stops it and gives the turn to the next.
struct ImageRun: Sendable {
    let job: ImageJob
    private let first: ImageEvent
    private let rest: AsyncThrowingStream<ImageEvent, any Error>
    private let turn: Permit
    private let running: ImageMeter.Running
    private let scope: RequestScope
    /// When it was asked for.
    let arrived: ContinuousClock.Instant
    /// When its turn came.
    let start: ContinuousClock.Instant

    /// Waits for the first event, which comes only when the job is found to be possible: until then an error has a status of its own.
    ///
    /// - Throws: ``APIError``, `ImageModelError`, or `CancellationError`.
    init(
        _ job: ImageJob, model: any ImageModel, turn: Permit, running: ImageMeter.Running, arrived: ContinuousClock.Instant,
        limits: ImageRequestLimits, id: String
    ) async throws {
        let scope = RequestScope(id: id)
        (self.turn, self.running, self.arrived) = (turn, running, arrived)
        start = .now
        var request = job.request(model.imageDefaults)
        request.cacheThreshold = limits.cacheThreshold
        try model.imageDefaults.limits.check(steps: request.steps, guidanceScale: request.guidanceScale)
        rest = try await model.generate(request, scope: scope)
        var iterator = rest.makeAsyncIterator()
        guard let first = try await iterator.next() else {
            try Task.checkCancellation()
            throw ImageModelError.stopped
        }
        (self.job, self.first, self.scope) = (job, first, scope)
    }

    /// Calls `body` for each event, in order, until the last picture is done. Cancelling the task stops the work.
    func run(_ body: (ImageEvent) async throws -> Void) async throws {
        defer { scope.cancellation.cancel() }
        try await body(first)
        for try await event in rest { try await body(event) }
        try Task.checkCancellation()
        withExtendedLifetime(turn) {}
    }
}

/// Seconds that each stage took, from the events.
struct StageClock: Sendable {
    private let start: ContinuousClock.Instant
    private var last: ContinuousClock.Instant
    private var stages: [(name: String, seconds: Double)] = []
    private(set) var steps = 0

    /// - Parameter start: when the first stage began.
    init(start: ContinuousClock.Instant) { (self.start, last) = (start, start) }

    mutating func note(_ event: ImageEvent) {
        guard case .progress(let stage, _, let steps) = event else { return }
        if stage == .denoise { self.steps = steps }
        let now = ContinuousClock.now
        let seconds = (now - last) / .seconds(1)
        last = now
        // The peer's word for the loop.
        let name = stage == .denoise ? "diffuse" : stage.rawValue
        if let place = stages.firstIndex(where: { $0.name == name }) {
            stages[place].seconds += seconds
        } else {
            stages.append((name, seconds))
        }
    }

    var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

    var durations: JSONValue {
        stages.isEmpty ? .null : .object(JSONObject(stages.map { ($0.name, .number(($0.seconds * 1e6).rounded() / 1e6)) }))
    }

    /// The `metrics` member of replies.
    func metrics(detailed: Bool) -> JSONValue {
        var object = JSONObject([("stage_durations", durations), ("peak_memory_mb", Self.peakMemory)])
        if detailed {
            let loop = stages.first { $0.name == "diffuse" }?.seconds ?? 0
            object["stage_metrics"] = [
                "num_inference_steps": .int(steps), "seconds_per_step": .number(steps > 0 ? loop / Double(steps) : 0),
                "total_seconds": .number(seconds),
            ]
        }
        return .object(object)
    }

    /// Most memory that this process ever held, MiB.
    static var peakMemory: JSONValue {
        var usage = rusage()
        #if os(Linux)
            let who = __rusage_who_t(RUSAGE_SELF.rawValue)
            let unit = 1024.0
        #else
            let who = RUSAGE_SELF
            let unit = 1048576.0
        #endif
        guard getrusage(who, &usage) == 0 else { return .null }
        return .number((Double(usage.ru_maxrss) / unit * 10).rounded() / 10)
    }
}
