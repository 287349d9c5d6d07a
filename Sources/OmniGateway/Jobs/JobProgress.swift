import OmniAPI
import OmniWorkerAPI

/// How far a running job is, from its stages and their weights. A pure value: the time comes with each report.
public struct JobProgress: Sendable, Equatable {
    public private(set) var stage = VideoTaskStage.load
    public private(set) var step = 0
    public private(set) var steps = 1
    private let begun: Double
    private var stageBegun: Double
    private var latest: Double
    private var spent: [VideoTaskStage: Double] = [:]
    private var highest = 0.0

    /// - Parameter now: seconds of any clock, the same for all calls.
    public init(now: Double) { (begun, stageBegun, latest) = (now, now, now) }

    /// Notes that `step` of `steps` of a stage are done.
    public mutating func report(_ stage: VideoTaskStage, step: Int, steps: Int, now: Double) {
        if stage != self.stage {
            spent[self.stage, default: 0] += now - stageBegun
            (self.stage, stageBegun) = (stage, now)
        }
        (self.step, self.steps, latest) = (max(0, step), max(1, steps), now)
        highest = max(highest, position)
    }

    private var fraction: Double { min(1, Double(step) / Double(steps)) }

    private var position: Double {
        let before = VideoTaskStage.allCases.prefix { $0 != stage }.reduce(0) { $0 + $1.weight }
        return before + stage.weight * fraction
    }

    /// 0…99: the last percent is the row that says so. Never falls.
    public var percent: Int { min(99, Int(highest)) }

    /// A guess of the seconds that are left: what the steps of this stage have taken so far, and for what comes after it the
    /// model's `speed` in earlier jobs. Nil before the first step of the longest stage, without which there is no ground.
    func secondsLeft(now: Double, speed: JobSpeed?) -> Double? {
        guard stage != .load, stage != .encode, step > 0 || stage == .mux else { return nil }
        let inStage = step > 0 ? (latest - stageBegun) / Double(step) * Double(steps - step) : 0
        let denoising = stage == .denoise ? (latest - stageBegun) / Double(max(1, step)) * Double(steps) : spent[.denoise] ?? 0
        // What has gone by since the last report is gone of what is left, too.
        let after = stage == .denoise ? denoising * (speed?.tail ?? 0.25) : 0
        return max(0, inStage + after - (now - latest))
    }

    /// Seconds that each stage has taken, `now` being the end.
    func durations(now: Double) -> [VideoTaskStage: Double] { spent.merging([stage: now - stageBegun]) { $0 + $1 } }

    func seconds(now: Double) -> Double { now - begun }
}

/// How fast a model's jobs went, recent ones weighing more.
struct JobSpeed: Sendable, Equatable {
    /// Seconds of a job.
    private(set) var seconds: Double
    /// What comes after denoising, as a share of denoising.
    private(set) var tail: Double

    init(_ progress: JobProgress, now: Double) {
        let spent = progress.durations(now: now)
        seconds = progress.seconds(now: now)
        tail = ((spent[.decode] ?? 0) + (spent[.mux] ?? 0)) / max(1e-3, spent[.denoise] ?? 0)
    }

    mutating func learn(_ next: JobSpeed) {
        seconds += 0.3 * (next.seconds - seconds)
        tail += 0.3 * (next.tail - tail)
    }
}
