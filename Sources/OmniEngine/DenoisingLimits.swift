/// What requests may ask of a diffusion model's loop: its family says where it takes less than the wire does.
public struct DenoisingLimits: Sendable, Equatable {
    public var steps: ClosedRange<Int>
    /// Nil takes whatever the wire does.
    public var guidanceScale: ClosedRange<Double>?
    /// What capabilities tell: where the family says nothing, what generations take.
    public var toldGuidanceScale: ClosedRange<Double> { guidanceScale ?? 0...20 }

    /// - Parameter steps: by default what the wire takes.
    public init(steps: ClosedRange<Int> = 1...200, guidanceScale: ClosedRange<Double>? = nil) {
        self.steps = steps
        self.guidanceScale = guidanceScale
    }

    /// Throws ``ImageModelError`` for a request of other values; nil is the model's default.
    public func check(steps asked: Int?, guidanceScale guidance: Float?) throws {
        if let asked, !steps.contains(asked) {
            throw Self.outside("num_inference_steps", "\(steps.lowerBound)", "\(steps.upperBound)")
        }
        if let guidance, let guidanceScale, !guidanceScale.contains(Double(guidance)) {
            throw Self.outside("guidance_scale", "\(guidanceScale.lowerBound)", "\(guidanceScale.upperBound)")
        }
    }

    private static func outside(_ parameter: String, _ least: String, _ most: String) -> ImageModelError {
        .invalid(parameter: parameter, reason: "the model takes \(least) to \(most)")
    }
}
