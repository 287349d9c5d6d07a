/// Classifier-free guidance (arXiv:2207.12598): away from what the negative prompt would give.
public struct Guidance: Sendable, Equatable {
    /// What is done about a guided prediction that is longer than the prompt's own.
    public enum Rescaling: Sendable, Equatable {
        case none
        /// Its norm is held to this many norms of the prompt's own prediction.
        case bounded(Float)
        /// Each token, so many values that lie one after the other, gets the norm of the prompt's own.
        case perToken(size: Int)
    }

    /// Weight of the difference; 0 or less does without the negative prompt.
    public var scale: Float
    public var rescaling: Rescaling
    /// Guidance is left out once more than this share of the way is done; above 1 never.
    public var truncation: Float

    public init(scale: Float, rescaling: Rescaling = .none, truncation: Float = 1) {
        self.scale = scale
        self.rescaling = rescaling
        self.truncation = truncation
    }

    public var needsNegative: Bool { scale > 0 }

    /// Whether a step that starts after `progress` of the way is guided.
    public func applies(at progress: Float) -> Bool {
        needsNegative && !(truncation <= 1 && progress > truncation)
    }

    /// `positive + scale · (positive − negative)`, rescaled.
    public func combine(positive: [Float], negative: [Float]) -> [Float] {
        let guided = zip(positive, negative).map { $0 + scale * ($0 - $1) }
        switch rescaling {
        case .none: return guided
        case .bounded(let norms):
            let limit = Self.norm(positive[...]) * norms
            let length = Self.norm(guided[...])
            return length > limit ? guided.map { $0 * (limit / length) } : guided
        case .perToken(let size):
            var result = guided
            for start in stride(from: 0, to: guided.count, by: size) {
                let token = start..<min(start + size, guided.count)
                let length = Self.norm(guided[token])
                guard length > 0 else { continue }
                let factor = Self.norm(positive[token]) / length
                for place in token { result[place] *= factor }
            }
            return result
        }
    }

    private static func norm(_ values: ArraySlice<Float>) -> Float {
        Float(values.reduce(Double(0)) { $0 + Double($1) * Double($1) }.squareRoot())
    }
}
