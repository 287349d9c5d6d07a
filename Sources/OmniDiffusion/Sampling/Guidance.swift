/// Classifier-free guidance (arXiv:2207.12598): away from what the negative prompt would give.
public struct Guidance: Sendable, Equatable {
    /// Weight of the difference; 0 or less does without the negative prompt.
    public var scale: Float
    /// The guided prediction's norm is held to this many norms of the prompt's own; 0 lets it grow.
    public var normalization: Float
    /// Guidance is left out once more than this share of the way is done; above 1 never.
    public var truncation: Float

    public init(scale: Float, normalization: Float = 0, truncation: Float = 1) {
        self.scale = scale
        self.normalization = normalization
        self.truncation = truncation
    }

    public var needsNegative: Bool { scale > 0 }

    /// Whether a step that starts after `progress` of the way is guided.
    public func applies(at progress: Float) -> Bool {
        needsNegative && !(truncation <= 1 && progress > truncation)
    }

    /// `positive + scale · (positive − negative)`, its norm bounded.
    public func combine(positive: [Float], negative: [Float]) -> [Float] {
        let guided = zip(positive, negative).map { $0 + scale * ($0 - $1) }
        guard normalization > 0 else { return guided }
        let limit = Self.norm(positive) * normalization
        let length = Self.norm(guided)
        return length > limit ? guided.map { $0 * (limit / length) } : guided
    }

    private static func norm(_ values: [Float]) -> Float {
        Float(values.reduce(Double(0)) { $0 + Double($1) * Double($1) }.squareRoot())
    }
}
