import Foundation

/// Tells for each 20 ms of sound how likely somebody speaks in it, from how far it stands out of the background and how periodic it is.
///
/// The background is the lowest loudness of the last four seconds: words have gaps, steady noise has none. Voices are periodic, with a pitch
/// of 70 to 400 Hz; noise is not, however loud it begins, and hum is so wholly, which counts no more than a voice. What is both loud and voiced, such as music, counts
/// as speech. A pure value: the same sound gives the same numbers.
struct VoiceActivity {
    /// Hz of the sound that is looked at.
    static let sampleRate = 8000
    /// Samples of a frame: 20 ms.
    static let frame = 160

    /// Loudness in dB of full scale below which a background is not looked for, and sound is none.
    private static let quietest: Float = -65
    private static let silence: Float = -60
    /// Frames in which the lowest loudness is kept, and how many of these make the background.
    private static let stretch = 25
    private static let stretches = 8
    /// Pitch periods in samples at half the rate.
    private static let periods = 10..<58

    private var highPass = (first: HighPass(), second: HighPass())
    /// The last 40 ms at half the rate.
    private var history = [Float](repeating: 0, count: frame)
    private var loudness: Float?
    private var lows: [Float] = []
    private var low = Float.infinity
    private var frames = 0

    /// The probability for the next frame: ``frame`` samples, −1…1.
    mutating func add(_ samples: [Float]) -> Double {
        let sound = samples.map { highPass.second.next(highPass.first.next($0)) }
        let energy = sound.reduce(Float(0)) { $0 + $1 * $1 } / Float(max(sound.count, 1))
        let decibels = 10 * log10(energy + 1e-10)
        let excess = decibels < Self.silence ? 0 : decibels - background(decibels)
        history.removeFirst(min(sound.count / 2, history.count))
        history += stride(from: 0, to: sound.count - 1, by: 2).map { (sound[$0] + sound[$0 + 1]) / 2 }
        let score = 0.3 * Double(min(excess, 15) - 9) + 10 * (Double(min(periodicity(), 0.85)) - 0.6)
        return 1 / (1 + exp(-score))
    }

    private mutating func background(_ decibels: Float) -> Float {
        let smooth = loudness.map { 0.6 * $0 + 0.4 * decibels } ?? decibels
        loudness = smooth
        low = min(low, smooth)
        frames += 1
        let floor = max(Self.quietest, lows.reduce(low, min))
        if frames == Self.stretch {
            lows = (lows + [low]).suffix(Self.stretches)
            (low, frames) = (.infinity, 0)
        }
        return floor
    }

    /// The largest correlation of the last 40 ms with themselves, one pitch period later; 0…1.
    private func periodicity() -> Float {
        let mean = history.reduce(0, +) / Float(history.count)
        let sound = history.map { $0 - mean }
        return sound.withUnsafeBufferPointer { sound in
            var best: Float = 0
            for period in Self.periods {
                var (product, early, late): (Float, Float, Float) = (0, 0, 0)
                var place = period
                while place < sound.count {
                    let (a, b) = (sound[place], sound[place - period])
                    product += a * b
                    late += a * a
                    early += b * b
                    place += 1
                }
                best = max(best, product / (sqrt(late * early) + 1e-9))
            }
            return best
        }
    }

    /// Of first order, at 150 Hz: hum of mains is no voice.
    private struct HighPass {
        private static let factor = Float(0.8889)
        private var (input, output): (Float, Float) = (0, 0)

        mutating func next(_ sample: Float) -> Float {
            output = Self.factor * (output + sample - input)
            input = sample
            return output
        }
    }
}
