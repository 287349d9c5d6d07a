import CKernelReference
import CTensor

extension OwnCases {
    /// A low pass, as far as it need be one.
    private static let filter: [Float] = [0.002, 0.009, -0.026, -0.058, 0.129, 0.444, 0.444, 0.129, -0.058, -0.026, 0.009, 0.002]

    var snakeCases: [KernelCase] {
        [(24, 5), (33, 200)].flatMap { channels, length in
            [false, true].filter { !$0 || variant.canRound }.map { rounds in
                makeCase("snake\(rounds ? " to bf16" : "")", "\(channels) channels, \(length) positions") { isSpoilt in
                    let x = Self.numbers(channels * length, seed: 51), frequency = Self.numbers(channels, seed: 52),
                        magnitude = Self.numbers(channels, seed: 53)
                    var wanted = [Double](repeating: 0, count: x.count), sizes = wanted, waves = [Double](repeating: 0, count: 2 * length)
                    Self.filter.withUnsafeBufferPointer { filter in
                        var definition = ckr_snake(channels: Int64(channels), length: Int64(length), filter: filter.baseAddress)
                        ckr_activate(&definition, x, frequency, magnitude, &waves, &wanted, &sizes)
                    }
                    var snake = ct_snake()
                    (snake.channels, snake.length, snake.rounds) = (Int32(channels), Int64(length), rounds ? 1 : 0)
                    withUnsafeMutableBytes(of: &snake.filter) { target in Self.filter.withUnsafeBytes { target.copyMemory(from: $0) } }
                    var found = [Float](repeating: 0, count: x.count), halves = [UInt16](repeating: 0, count: x.count)
                    for part in 0..<Self.parts {
                        if rounds {
                            ct_activate_snake(variant.number, &snake, x, frequency, magnitude, &halves, 0, Int64(length), part, Self.parts)
                        } else {
                            ct_activate_snake(variant.number, &snake, x, frequency, magnitude, &found, 0, Int64(length), part, Self.parts)
                        }
                    }
                    return Self.judge(
                        rounds ? Self.values(halves) : found, wanted, sizes: sizes, share: rounds ? 0x1p-8 : 2e-5, isSpoilt: isSpoilt)
                }
            }
        }
    }
}
