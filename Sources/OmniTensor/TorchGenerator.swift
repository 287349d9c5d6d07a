import Foundation

/// PyTorch's CPU generator: the same seed gives the numbers of `torch.Generator().manual_seed(seed)`, so that a picture
/// is the one diffusers draws. The 32-bit Mersenne twister (Matsumoto & Nishimura 1998) with Box–Muller on top, as
/// `aten/src/ATen/native/cpu/DistributionTemplates.h` orders the numbers.
public struct TorchGenerator: Sendable {
    private var state: [UInt32]
    private var position: Int
    private var spareNormal: Double?

    /// Only the seed's lower 32 bits count, as in PyTorch.
    public init(seed: UInt64) {
        state = [UInt32(truncatingIfNeeded: seed)]
        for index in 1..<Self.length {
            state.append(1_812_433_253 &* (state[index - 1] ^ state[index - 1] >> 30) &+ UInt32(index))
        }
        position = Self.length
    }

    private static let length = 624
    private static let middle = 397

    private mutating func nextBits() -> UInt32 {
        if position == Self.length {
            for index in 0..<Self.length {
                let mixed = state[index] & 0x8000_0000 | state[(index + 1) % Self.length] & 0x7fff_ffff
                state[index] = state[(index + Self.middle) % Self.length] ^ mixed >> 1 ^ (mixed & 1 == 0 ? 0 : 0x9908_b0df)
            }
            position = 0
        }
        var bits = state[position]
        position += 1
        bits ^= bits >> 11
        bits ^= bits << 7 & 0x9d2c_5680
        bits ^= bits << 15 & 0xefc6_0000
        return bits ^ bits >> 18
    }

    /// 24 random bits in 0..<1.
    private mutating func uniform() -> Float { Float(nextBits() & 0xff_ffff) / Float(1 << 24) }

    /// 53 random bits in 0..<1.
    private mutating func uniformDouble() -> Double {
        let high = UInt64(nextBits())
        let bits = high << 32 | UInt64(nextBits())
        return Double(bits & (1 << 53 - 1)) / Double(UInt64(1) << 53)
    }

    /// `torch.randn(count)`: normally distributed, f32.
    public mutating func normal(_ count: Int) -> [Float] {
        guard count >= 16 else { return (0..<count).map { _ in Float(nextNormal()) } }
        var values = (0..<count).map { _ in uniform() }
        for start in stride(from: 0, through: count - 16, by: 16) { Self.boxMuller(&values, start) }
        if count % 16 != 0 {
            // The last sixteen are drawn anew where the count leaves a rest.
            for index in count - 16..<count { values[index] = uniform() }
            Self.boxMuller(&values, count - 16)
        }
        return values
    }

    /// Turns sixteen uniform values from `start` into normal ones: eight radii, eight angles.
    private static func boxMuller(_ values: inout [Float], _ start: Int) {
        for index in start..<start + 8 {
            let radius = (-2 * log(1 - values[index])).squareRoot()
            let angle = 2 * Float.pi * values[index + 8]
            values[index] = radius * cos(angle)
            values[index + 8] = radius * sin(angle)
        }
    }

    private mutating func nextNormal() -> Double {
        if let spare = spareNormal {
            spareNormal = nil
            return spare
        }
        let (first, second) = (uniformDouble(), uniformDouble())
        let radius = (-2 * log1p(-second)).squareRoot()
        spareNormal = radius * sin(2 * Double.pi * first)
        return radius * cos(2 * Double.pi * first)
    }
}
