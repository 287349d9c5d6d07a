import Foundation

/// The way from noise at time 0 to a spectrogram at time 1.
struct FlowSchedule: Hashable, Sendable {
    let solver: Token2WavSettings.Solver
    /// Ends of the intervals, bent towards the beginning (sway sampling, arXiv:2410.06885, coefficient −1).
    let points: [Float]

    init(_ settings: Token2WavSettings) {
        solver = settings.solver
        let intervals = settings.solver == .rk4 ? settings.steps - 1 : settings.steps
        points = (0...intervals).map { place in
            let even = Float(place) / Float(intervals)
            return even - (cos(Float.pi / 2 * even) - 1 + even)
        }
    }

    /// Each time at which the velocity is asked for, once.
    var times: [Float] {
        guard solver == .rk4 else { return points.dropLast() }
        var all: [Float] = []
        for (begin, end) in zip(points, points.dropFirst()) {
            let h = end - begin
            all += [begin, begin + h * (1 / 3), begin + h * (2 / 3)]
        }
        return all + points.suffix(1)
    }

    /// Follows the flow from `start`.
    ///
    /// - Parameter velocity: at a state, and the place of its time in ``times``.
    func solve(_ start: [Float], _ velocity: ([Float], Int) throws -> [Float]) rethrows -> [Float] {
        var y = start
        for (interval, (begin, end)) in zip(points, points.dropFirst()).enumerated() {
            let h = end - begin
            switch solver {
            case .euler:
                let k = try velocity(y, interval)
                for i in y.indices { y[i] += h * k[i] }
            case .rk4:
                let place = 3 * interval
                let k1 = try velocity(y, place)
                let k2 = try velocity(Self.moved(y, by: h) { k1[$0] / 3 }, place + 1)
                let k3 = try velocity(Self.moved(y, by: h) { k2[$0] - k1[$0] / 3 }, place + 2)
                let k4 = try velocity(Self.moved(y, by: h) { k1[$0] - k2[$0] + k3[$0] }, place + 3)
                for i in y.indices { y[i] += h / 8 * (k1[i] + 3 * (k2[i] + k3[i]) + k4[i]) }
            }
        }
        return y
    }

    private static func moved(_ y: [Float], by h: Float, _ slope: (Int) -> Float) -> [Float] { y.indices.map { y[$0] + h * slope($0) } }
}
