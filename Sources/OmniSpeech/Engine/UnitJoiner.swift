import Foundation

/// Joins the sounds of units without clicks: each fades in and out over a few milliseconds, and a pause stands between them.
struct UnitJoiner: Sendable {
    private let fade: [Float]
    private let sampleRate: Int
    private let pauses: SpeechOptions.Pauses
    /// The text's own silences last as long as they say, also where the sound is stretched.
    private let speed: Double
    /// Samples of silence before the next sound, and how many of them the text itself asks for.
    private var pendingPause = 0
    private var pendingSilence = 0
    /// The unit's sound that is not given out yet: it may be the end, which fades out.
    private var held: [Float] = []
    private var hasBegun = false

    /// - Parameter silence: seconds before the first unit.
    init(sampleRate: Int, pauses: SpeechOptions.Pauses, speed: Double = 1, silence: Double = 0) {
        self.sampleRate = sampleRate
        self.pauses = pauses
        self.speed = speed
        pendingSilence = Int(silence * speed * Double(sampleRate))
        pendingPause = pendingSilence
        let length = max(1, sampleRate * 4 / 1000)
        // Raised cosine: no corner at either end.
        fade = (0..<length).map { Float(0.5 - 0.5 * cos(.pi * (Double($0) + 0.5) / Double(length))) }
    }

    /// More sound of the unit, behind the pause that the last one asked for.
    mutating func append(_ samples: [Float]) -> [Float] {
        held += samples
        // A unit shorter than its two fades is known by its end only.
        guard held.count >= (hasBegun ? fade.count : 2 * fade.count) else { return [] }
        var sound: [Float] = []
        if !hasBegun { sound = begin(edge: fade.count) }
        let count = held.count - fade.count
        sound += held.prefix(count)
        held.removeFirst(count)
        return sound
    }

    /// The last sound of a unit.
    mutating func end(_ unit: SpeechText.Unit) -> [Float] {
        let silence = Int((unit.silence ?? 0) * speed * Double(sampleRate))
        guard hasBegun || !held.isEmpty else {
            (pendingPause, pendingSilence) = (pendingPause + silence, pendingSilence + silence)
            return []
        }
        let edge = hasBegun ? fade.count : min(fade.count, held.count / 2)
        var sound = hasBegun ? [] : begin(edge: edge)
        for place in 0..<edge { held[held.count - 1 - place] *= fade[place] }
        sound += held
        pendingPause = unit.silence == nil ? Int(pause(after: unit) * Double(sampleRate)) : silence
        pendingSilence = silence
        held = []
        hasBegun = false
        return sound
    }

    /// The silence that the text asks for behind its last unit.
    mutating func finish() -> [Float] {
        defer { pendingSilence = 0 }
        return [Float](repeating: 0, count: pendingSilence)
    }

    /// Fades the held sound in; returns the pause before it.
    private mutating func begin(edge: Int) -> [Float] {
        for place in 0..<edge { held[place] *= fade[place] }
        hasBegun = true
        return [Float](repeating: 0, count: pendingPause)
    }

    private func pause(after unit: SpeechText.Unit) -> Double {
        if unit.endsParagraph { return pauses.paragraph }
        guard let last = unit.text.last(where: { $0.isPunctuation && !"\"'”’»)]}」』）".contains($0) || $0.isLetter || $0.isNumber }) else {
            return pauses.clause
        }
        return ".!?…。！？।॥؟".contains(last) ? pauses.sentence : pauses.clause
    }
}
