/// Reuses a prediction while its input has hardly changed, in the manner of TeaCache (arXiv:2411.19108): the relative
/// change of the latents is summed over steps, and the model runs again once the sum passes the threshold.
struct StepCache {
    /// Share of change that is let pass; 0 reuses nothing.
    let threshold: Float
    private var entries: [Key: Entry] = [:]

    /// Guided and unguided predictions of each picture are kept apart.
    private struct Key: Hashable {
        let picture: Int
        let negative: Bool
    }

    private struct Entry {
        var input: [Float]
        var change: Float
        let prediction: [Float]
    }

    init(threshold: Float) { self.threshold = threshold }

    /// The last prediction, while its input has hardly changed since; nil where the model must run.
    mutating func prediction(_ request: DenoisingLoop.Request) -> [Float]? {
        let key = Key(picture: request.picture, negative: request.negative)
        guard var entry = entries[key] else { return nil }
        entry.change += Self.change(from: entry.input, to: request.latents)
        entry.input = request.latents
        guard entry.change < threshold else { return nil }
        entries[key] = entry
        return entry.prediction
    }

    /// Remembers what the model said.
    mutating func keep(_ prediction: [Float], for request: DenoisingLoop.Request) {
        guard threshold > 0 else { return }
        entries[Key(picture: request.picture, negative: request.negative)] = Entry(
            input: request.latents, change: 0, prediction: prediction)
    }

    /// Σ|b − a| / Σ|a|.
    private static func change(from a: [Float], to b: [Float]) -> Float {
        let (difference, size) = zip(a, b).reduce((Float(0), Float(0))) { ($0.0 + abs($1.1 - $1.0), $0.1 + abs($1.0)) }
        return difference / max(size, .leastNormalMagnitude)
    }
}
