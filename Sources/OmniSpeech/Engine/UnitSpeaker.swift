import OmniEngine

/// What speaks: a loaded model. The synthesis thread makes it; within a turn up to ``maxConcurrency`` threads use it at a time.
protocol UnitSpeaker: AnyObject, Sendable {
    /// How a request wants all of its units spoken.
    associatedtype VoiceSettings: Sendable
    /// A unit as the model takes it.
    associatedtype Script: Sendable
    /// What others are to know of the loaded model.
    associatedtype Facts: Sendable

    var facts: Facts { get }
    /// Units that may be spoken side by side now.
    var maxConcurrency: Int { get }

    /// Makes a unit ready to be spoken. Called on any thread, also while others are spoken.
    func prepare(_ unit: SpeechText.Unit, _ settings: VoiceSettings) throws -> PreparedUnit<Script>

    /// Runs `turn`, in which `count` threads speak units under the lane.
    func takeTurn(of count: Int, _ turn: () -> Void)

    /// Speaks the unit at `index` within a turn and hands its samples to `emit` as they come; without samples `emit` is a sign of
    /// life. Throws `CancellationError` once it finds the job cancelled, and what `emit` throws.
    func speak(_ script: Script, at index: Int, _ settings: VoiceSettings, cancellation: SpeechCancellation, emit: ([Float]) throws -> Void)
        throws
}

/// A unit made ready to be spoken.
struct PreparedUnit<Script: Sendable>: Sendable {
    /// nil: there is nothing to say.
    var script: Script?
    /// Handed to the model.
    var symbols: Int
    /// Not known to the model.
    var dropped: [String] = []
}

/// The two ways in which a job ends early: its request was given up, or nobody reads its stream any more.
struct SpeechCancellation: Sendable {
    let request: CancellationToken
    let stream: CancellationToken

    var isCancelled: Bool { request.isCancelled || stream.isCancelled }
    func check() throws { if isCancelled { throw CancellationError() } }
}
