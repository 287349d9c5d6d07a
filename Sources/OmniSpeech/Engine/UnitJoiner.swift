import Foundation

/// Joins the sounds of units without clicks: each fades in and out over a few milliseconds, and a pause stands between them.
struct UnitJoiner: Sendable {
    private let fade: [Float]
    private let sampleRate: Int
    private let pauses: SpeechOptions.Pauses
    private var pendingPause = 0
    /// The unit's sound that is not given out yet: it may be the end, which fades out.
    private var held: [Float] = []
    private var hasBegun = false

    init(sampleRate: Int, pauses: SpeechOptions.Pauses) {
        self.sampleRate = sampleRate
        self.pauses = pauses
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
        guard hasBegun || !held.isEmpty else { return [] }
        let edge = hasBegun ? fade.count : min(fade.count, held.count / 2)
        var sound = hasBegun ? [] : begin(edge: edge)
        for place in 0..<edge { held[held.count - 1 - place] *= fade[place] }
        sound += held
        pendingPause = Int(pause(after: unit) * Double(sampleRate))
        held = []
        hasBegun = false
        return sound
    }

    /// Fades the held sound in; returns the pause before it.
    private mutating func begin(edge: Int) -> [Float] {
        for place in 0..<edge { held[place] *= fade[place] }
        hasBegun = true
        return [Float](repeating: 0, count: pendingPause)
    }

    private func pause(after unit: SpeechText.Unit) -> Double {
        if unit.endsParagraph { return pauses.paragraph }
        guard let last = unit.text.last(where: { $0.isPunctuation && !"\"'”’»)]}」』）".contains($0) || $0.isLetter || $0.isNumber }) else { return pauses.clause }
        return ".!?…。！？।॥؟".contains(last) ? pauses.sentence : pauses.clause
    }
}
