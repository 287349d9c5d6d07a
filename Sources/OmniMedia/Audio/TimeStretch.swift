/// Makes mono speech faster or slower and keeps its pitch, while it streams.
///
/// WSOLA (Verhelst and Roelands, 1993): windows of 30 ms are laid over each other at half their length; each is taken from
/// the input near the place that the speed asks for, where it continues the previous window best. The output has exactly
/// ⌊samples / speed⌋ samples and does not depend on how the input was cut.
public struct TimeStretch: Sendable {
    private let speed: Double
    /// Half a window, samples: how much each window adds to the output.
    private let hop: Int
    /// How far a window may be moved from its place, samples.
    private let reach: Int
    private let fadeIn: [Float]

    /// Input not used up yet; `input[0]` is sample `inputStart` of the stream.
    private var input: [Float] = []
    private var inputStart = 0
    private var received = 0
    /// Second half of the last window, still to be faded into the next one.
    private var tail: [Float] = []
    /// Where the last window was taken from, in samples of the stream.
    private var lastWindow = 0
    private var windows = 0
    private var emitted = 0

    /// - Parameters:
    ///   - speed: 0.25…4; 2 halves the length.
    ///   - sampleRate: Hz.
    public init(speed: Double, sampleRate: Int) {
        self.speed = min(4, max(0.25, speed))
        hop = max(16, sampleRate * 15 / 1000)
        reach = max(8, sampleRate * 10 / 1000)
        let half = hop
        fadeIn = (0..<half).map { (Float($0) + 0.5) / Float(half) }
    }

    /// Takes samples and returns those that are ready.
    public mutating func push(_ samples: [Float]) -> [Float] {
        received += samples.count
        guard speed != 1 else { return samples }
        input += samples
        var output: [Float] = []
        // A window's sound must be there, and the output must not outgrow what the input so far allows.
        while nextPlace + reach + 2 * hop <= received, place(ofWindow: windows + 1) <= received { appendWindow(to: &output) }
        forgetUsedInput()
        emitted += output.count
        return output
    }

    /// Ends the stream and returns its last samples.
    public mutating func finish() -> [Float] {
        guard speed != 1 else { return [] }
        let length = Int((Double(received) / speed).rounded(.down))
        // The last windows reach past the end: silence stands there.
        input += [Float](repeating: 0, count: 2 * (reach + hop) + Int(speed * Double(2 * hop)))
        var output: [Float] = []
        while emitted + output.count < length { appendWindow(to: &output) }
        return Array(output.prefix(max(0, length - emitted)))
    }

    /// Where the next window would stand without any search.
    private var nextPlace: Int { place(ofWindow: windows) }

    private func place(ofWindow number: Int) -> Int { Int((Double(number * hop) * speed).rounded(.up)) }

    private mutating func appendWindow(to output: inout [Float]) {
        let place = windows == 0 ? 0 : bestPlace(near: nextPlace, following: lastWindow + hop)
        let start = place - inputStart
        if tail.isEmpty {
            output += input[start..<start + hop]
        } else {
            for index in 0..<hop { output.append(tail[index] + (input[start + index] - tail[index]) * fadeIn[index]) }
        }
        tail = Array(input[start + hop..<start + 2 * hop])
        lastWindow = place
        windows += 1
    }

    /// The place within reach whose sound is most like what followed the last window: first every fourth, then its neighbours.
    private func bestPlace(near place: Int, following target: Int) -> Int {
        let lowest = max(inputStart, place - reach), highest = min(place + reach, inputStart + input.count - 2 * hop)
        guard lowest < highest, target >= inputStart, target - inputStart + hop <= input.count else {
            return min(max(place, lowest), max(lowest, highest))
        }
        return input.withUnsafeBufferPointer { samples in
            func best(_ candidates: some Sequence<Int>, step: Int) -> Int {
                var winner = place, highestScore = -Float.infinity
                for candidate in candidates {
                    let score = similarity(samples, candidate - inputStart, target - inputStart, step: step)
                    if score > highestScore { (winner, highestScore) = (candidate, score) }
                }
                return winner
            }
            let coarse = best(stride(from: lowest, through: highest, by: 4), step: 2)
            return best(max(lowest, coarse - 3)...min(highest, coarse + 3), step: 1)
        }
    }

    /// Normalised cross-correlation of two stretches of `hop` samples.
    private func similarity(_ samples: UnsafeBufferPointer<Float>, _ first: Int, _ second: Int, step: Int) -> Float {
        var product: Float = 0, energy: Float = 1e-9
        var index = 0
        while index < hop {
            let value = samples[first + index]
            product += value * samples[second + index]
            energy += value * value
            index += step
        }
        return product / energy.squareRoot()
    }

    private mutating func forgetUsedInput() {
        let needed = min(lastWindow + hop, max(0, nextPlace - reach))
        let used = min(needed - inputStart, input.count)
        // In large steps, since what remains is moved.
        guard used > 4 * hop else { return }
        input.removeFirst(used)
        inputStart += used
    }
}
