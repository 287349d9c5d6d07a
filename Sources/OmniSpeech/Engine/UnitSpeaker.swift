import OmniEngine

/// What speaks: a loaded model, made and used by the synthesis thread alone.
protocol UnitSpeaker: AnyObject, SendableMetatype {
    /// How a request wants all of its units spoken.
    associatedtype Manner: Sendable
    /// What others are to know of the loaded model.
    associatedtype Facts: Sendable

    var facts: Facts { get }

    /// Speaks a unit, computing under the lane, and hands its samples to `emit` as they come; without samples `emit` is a sign of
    /// life. Throws `CancellationError` once it finds the job cancelled, and what `emit` throws.
    func speak(
        _ unit: SpeechText.Unit, at index: Int, _ manner: Manner, cancellation: SpeechCancellation, emit: ([Float]) throws -> Void
    ) throws -> SpokenUnit
}

/// What a model made of a unit, besides the sound.
struct SpokenUnit {
    /// Handed to the model.
    var symbols: Int
    /// Not known to the model.
    var dropped: [String] = []
    /// There was something to say.
    var hadWords: Bool
}

/// The two ways in which a job ends early: its request was given up, or nobody reads its stream any more.
struct SpeechCancellation: Sendable {
    let request: CancellationToken
    let stream: CancellationToken

    var isCancelled: Bool { request.isCancelled || stream.isCancelled }
    func check() throws { if isCancelled { throw CancellationError() } }
}
