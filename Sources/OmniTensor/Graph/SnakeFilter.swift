import CTensor
import Foundation

/// A low pass of twelve taps between a signal and the same at twice its rate: a sinc under Kaiser's window.
public struct SnakeFilter: Sendable, Equatable {
    /// Their sum is 1.
    public let taps: [Float]

    /// - Parameters:
    ///   - cutoff: of the rate, 0 to 0.5; 0.25 keeps the band of the slower signal.
    ///   - halfWidth: of the transition, of the rate.
    public init(cutoff: Double = 0.25, halfWidth: Double = 0.3) {
        let count = Int(CT_SNAKE_TAPS)
        // Kaiser's own rules: attenuation in dB from width and length, and the window's shape from it.
        let attenuation = 2.285 * Double(count / 2 - 1) * Double.pi * 4 * halfWidth + 7.95
        let shape: Double =
            switch attenuation {
            case 50...: 0.1102 * (attenuation - 8.7)
            case 21...: 0.5842 * pow(attenuation - 21, 0.4) + 0.07886 * (attenuation - 21)
            default: 0
            }
        let values = (0..<count).map { tap in
            let (place, edge) = (Double(tap) - Double(count - 1) / 2, 2 * Double(tap) / Double(count - 1) - 1)
            let angle = 2 * cutoff * place * Double.pi
            let sinc = angle == 0 ? 1 : sin(angle) / angle
            return sinc * Self.bessel(shape * max(0, 1 - edge * edge).squareRoot())
        }
        let sum = values.reduce(0, +)
        taps = values.map { Float($0 / sum) }
    }

    /// The modified Bessel function of order zero, by its series.
    private static func bessel(_ x: Double) -> Double {
        var (term, sum) = (1.0, 1.0)
        for order in 1..<64 {
            term *= (x / 2) * (x / 2) / Double(order * order)
            sum += term
        }
        return sum
    }
}
