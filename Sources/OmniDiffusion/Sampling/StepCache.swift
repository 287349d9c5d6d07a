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

    /// - Parameter forced: runs the model whatever has changed; for the first and the last step.
    mutating func prediction(_ latents: [Float], picture: Int, negative: Bool, forced: Bool, _ predict: () throws -> [Float]) rethrows -> [Float] {
        guard threshold > 0 else { return try predict() }
        let key = Key(picture: picture, negative: negative)
        if !forced, var entry = entries[key] {
            entry.change += Self.change(from: entry.input, to: latents)
            entry.input = latents
            if entry.change < threshold {
                entries[key] = entry
                return entry.prediction
            }
        }
        let prediction = try predict()
        entries[key] = Entry(input: latents, change: 0, prediction: prediction)
        return prediction
    }

    /// Σ|b − a| / Σ|a|.
    private static func change(from a: [Float], to b: [Float]) -> Float {
        let (difference, size) = zip(a, b).reduce((Float(0), Float(0))) { ($0.0 + abs($1.1 - $1.0), $0.1 + abs($1.0)) }
        return difference / max(size, .leastNormalMagnitude)
    }
}
