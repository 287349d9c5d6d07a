import CTensor
import Synchronization

/// What a kernel of ours does, as far as its speed goes.
enum KernelWork: Int, CaseIterable, Sendable {
    case product, roundedProduct, decodedProduct, attention, roundedAttention, convolution, roundedConvolution
    /// Bound by memory: its operations are elements.
    case elementwise
    /// Some fifty operations for each element, which count as one.
    case activation

    /// Its first guess, as a share of what a plain product was measured to do, exact or rounded.
    fileprivate func firstRate(exact: Double, rounded: Double) -> Double {
        switch self {
        case .product: exact
        case .roundedProduct: rounded
        case .decodedProduct: 0.5 * rounded
        case .attention: 0.5 * exact
        case .roundedAttention: 0.25 * rounded
        case .convolution: 0.6 * exact
        case .roundedConvolution: 0.5 * rounded
        case .elementwise: 0.01 * exact
        case .activation: 0.003 * exact
        }
    }
}

/// How fast kernels of ours run on a device: measured while they do, so that nothing has to be known of a CPU beforehand.
///
/// Strips are cut to ``stripSeconds`` with what is known when a graph is built, and a slice counts its strips at what is known when it
/// runs. A first guess is measured in a millisecond or two.
final class KernelThroughput: Sendable {
    /// How long a strip should take, seconds. With the slice that it ends it stays below the lane's 50 ms.
    static let stripSeconds = 0.015
    /// Most strips of one operation, so that a graph has places for them all.
    static let mostStrips = 256

    private struct State {
        /// Operations per second with all threads, by kind.
        var rates: [Double]
        var isMeasured = [Bool](repeating: false, count: KernelWork.allCases.count)
        /// Seconds that strips took since they were last asked for.
        var seconds = 0.0
    }

    private let state: Mutex<State>
    /// Operations per second of a product in f32, as first measured: it does not change.
    let first: Double

    /// - Parameters:
    ///   - exact: operations per second of a product in f32.
    ///   - rounded: of one in bf16.
    init(exact: Double, rounded: Double) {
        first = exact
        state = Mutex(State(rates: KernelWork.allCases.map { max(1, $0.firstRate(exact: exact, rounded: rounded)) }))
    }

    convenience init(_ kernels: KernelVariant, threads: Int) {
        let exact = Self.measured(kernels, rounds: false)
        // Threads share memory and heat.
        let share = 0.7 * Double(threads)
        self.init(exact: share * exact, rounded: share * (kernels.rounds ? Self.measured(kernels, rounds: true) : exact))
    }

    /// Operations per second.
    func rate(_ work: KernelWork) -> Double { state.withLock { $0.rates[work.rawValue] } }

    /// A strip took `seconds`. The first time counts alone; then it is a moving average, so that one interruption changes little.
    func learn(_ work: KernelWork, operations: Double, seconds: Double) {
        guard seconds > 0, operations > 0 else { return }
        state.withLock { state in
            state.seconds += seconds
            // The clock and the start of a node are no small part of less.
            guard seconds > 5e-5 else { return }
            let (rate, place) = (operations / seconds, work.rawValue)
            state.rates[place] += (state.isMeasured[place] ? 0.3 : 1) * (rate - state.rates[place])
            state.isMeasured[place] = true
        }
    }

    /// Seconds that strips took since the last call.
    func takeSeconds() -> Double {
        state.withLock { state in
            defer { state.seconds = 0 }
            return state.seconds
        }
    }

    /// Operations of a strip of something that takes `total`.
    func stripOperations(_ work: KernelWork, of total: Double) -> Double {
        max(rate(work) * Self.stripSeconds, total / Double(Self.mostStrips))
    }

    /// Operations per second of a small product on one thread: the best of three.
    private static func measured(_ kernels: KernelVariant, rounds: Bool) -> Double {
        let (inner, outputs, rows) = (512, 96, 96)
        let x = [Float](repeating: 0.5, count: inner * rows)
        // Zeros are the same numbers in f32 and bf16.
        let weights = [Float](repeating: 0, count: inner * outputs)
        var out = [Float](repeating: 0, count: outputs * rows)
        let size = MemoryLayout<Float>.size
        var packed = [UInt8](repeating: 0, count: rounds ? ct_rounded_bytes(kernels.index, Int32(inner), Int32(rows)) : 0)
        if rounds { ct_round_rows(kernels.index, x, inner * size, Int32(inner), Int32(rows), &packed, 0, 1) }
        var geometry = ct_product()
        (geometry.inner, geometry.outputs, geometry.rows) = (Int32(inner), Int32(outputs), Int32(rows))
        (geometry.weight_pitch, geometry.pitch, geometry.out_pitch) = (inner * (rounds ? 2 : size), inner * size, outputs * size)
        (geometry.rounds, geometry.weights) = rounds ? (1, Int32(CT_WEIGHTS_BF16)) : (0, Int32(CT_WEIGHTS_F32))
        let clock = ContinuousClock()
        let seconds = (0..<3).map { _ in
            clock.measure {
                if rounds {
                    ct_multiply(kernels.index, &geometry, weights, nil, packed, &out, 0, geometry.outputs, 0, 1)
                } else {
                    ct_multiply(kernels.index, &geometry, weights, nil, x, &out, 0, geometry.outputs, 0, 1)
                }
            } / .seconds(1)
        }
        return 2 * Double(inner * outputs * rows) / max(seconds.min() ?? 1, 1e-9)
    }
}
