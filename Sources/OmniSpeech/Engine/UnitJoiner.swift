import Foundation

/// Joins the sounds of units without clicks: each fades in and out over a few milliseconds, and a pause stands between them.
struct UnitJoiner: Sendable {
    private let fade: [Float]
    private let sampleRate: Int
    private let pauses: SpeechOptions.Pauses
    private var pendingPause = 0

    init(sampleRate: Int, pauses: SpeechOptions.Pauses) {
        self.sampleRate = sampleRate
        self.pauses = pauses
        let length = max(1, sampleRate * 4 / 1000)
        // Raised cosine: no corner at either end.
        fade = (0..<length).map { Float(0.5 - 0.5 * cos(.pi * (Double($0) + 0.5) / Double(length))) }
    }

    /// The sound of the next unit behind the pause that the last one asked for.
    mutating func append(_ samples: [Float], of unit: SpeechText.Unit) -> [Float] {
        guard !samples.isEmpty else { return [] }
        var sound = [Float](repeating: 0, count: pendingPause)
        sound.reserveCapacity(pendingPause + samples.count)
        sound += samples
        let edge = min(fade.count, samples.count / 2)
        for place in 0..<edge {
            sound[pendingPause + place] *= fade[place]
            sound[sound.count - 1 - place] *= fade[place]
        }
        pendingPause = Int(pause(after: unit) * Double(sampleRate))
        return sound
    }

    private func pause(after unit: SpeechText.Unit) -> Double {
        if unit.endsParagraph { return pauses.paragraph }
        guard let last = unit.text.last(where: { $0.isPunctuation && !"\"'”’»)]}」』）".contains($0) || $0.isLetter || $0.isNumber }) else { return pauses.clause }
        return ".!?…。！？।॥؟".contains(last) ? pauses.sentence : pauses.clause
    }
}
