import CKernelReference
import CTensor

extension OwnCases {
    var normCases: [KernelCase] {
        [(96, 32, 77, false), (40, 4, 300, true)].flatMap { channels, groups, pixels, activates in
            [false, true].filter { !$0 || variant.canRound }.map { rounds in
                makeCase("group norm\(rounds ? " to bf16" : "")", "\(channels) channels in \(groups) groups\(activates ? ", SiLU" : "")") {
                    isSpoilt in
                    let x = Self.numbers(channels * pixels, seed: 41), weight = Self.numbers(channels, seed: 42),
                        bias = Self.numbers(channels, seed: 43)
                    var definition = ckr_group_norm(
                        channels: Int64(channels), groups: Int64(groups), pixels: Int64(pixels), epsilon: 1e-6, activates: activates ? 1 : 0
                    )
                    var wanted = [Double](repeating: 0, count: x.count), sizes = wanted
                    ckr_normalize(&definition, x, weight, bias, &wanted, &sizes)
                    var norm = ct_group_norm(
                        channels: Int32(channels), groups: Int32(groups), pixels: Int64(pixels), epsilon: 1e-6,
                        activates: activates ? 1 : 0, rounds: rounds ? 1 : 0)
                    var statistics = [Float](repeating: 0, count: groups * 2), found = [Float](repeating: 0, count: x.count)
                    var halves = [UInt16](repeating: 0, count: x.count)
                    for part in 0..<Self.parts { ct_measure_groups(variant.number, &norm, x, &statistics, part, Self.parts) }
                    for part in 0..<Self.parts {
                        if rounds {
                            ct_normalize_groups(
                                variant.number, &norm, x, statistics, weight, bias, &halves, 0, Int64(pixels), part, Self.parts)
                        } else {
                            ct_normalize_groups(
                                variant.number, &norm, x, statistics, weight, bias, &found, 0, Int64(pixels), part, Self.parts)
                        }
                    }
                    return Self.judge(
                        rounds ? Self.values(halves) : found, wanted, sizes: sizes, share: rounds ? 0x1p-8 : 2e-5, isSpoilt: isSpoilt)
                }
            }
        }
    }
}
