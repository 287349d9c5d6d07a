import CKernelReference
import CTensor

extension OwnCases {
    var attentionCases: [KernelCase] {
        [(64, 6, 2, 37, 101, true), (40, 4, 4, 70, 700, false)].flatMap { head, heads, groups, rows, keys, isMasked in
            [false, true].filter { !$0 || variant.canRound }.map { rounds in
                makeCase(
                    "attention\(rounds ? " rounded to bf16" : "")", "heads of \(head), \(rows) rows to \(keys)\(isMasked ? ", masked" : "")"
                ) { isSpoilt in
                    let query = Self.numbers(rows * heads * head, seed: 21)
                    let (keyValues, values) = (Self.numbers(keys * groups * head, seed: 22), Self.numbers(keys * groups * head, seed: 23))
                    var hides = Numbers(seed: 24)
                    let mask =
                        isMasked
                        ? (0..<heads * rows * keys).map { $0 % keys > 0 && hides.below(3) == 0 ? -Float.infinity : hides.unit() } : nil
                    let scale = 1 / Float(head).squareRoot()
                    var definition = ckr_attention(
                        head: Int64(head), heads: Int64(heads), groups: Int64(groups), keys: Int64(keys), rows: Int64(rows), scale: scale)
                    var wanted = [Double](repeating: 0, count: query.count), sizes = wanted, scores = [Double](repeating: 0, count: keys)
                    if let mask {
                        ckr_attend(&definition, query, keyValues, values, mask, &scores, &wanted, &sizes)
                    } else {
                        ckr_attend(&definition, query, keyValues, values, nil, &scores, &wanted, &sizes)
                    }

                    var attention = ct_attention()
                    (attention.head, attention.heads, attention.groups, attention.keys) = (
                        Int32(head), Int32(heads), Int32(groups), Int32(keys)
                    )
                    attention.scale = scale
                    (attention.query_step, attention.query_pitch) = (head * 4, heads * head * 4)
                    (attention.key_step, attention.key_pitch) = (head * 4, groups * head * 4)
                    (attention.value_step, attention.value_pitch) = (head * 4, groups * head * 4)
                    (attention.mask_step, attention.mask_pitch) = (rows * keys * 4, keys * 4)
                    attention.out_pitch = heads * head * 4
                    attention.rounds = rounds ? 1 : 0
                    var found = [Float](repeating: 0, count: query.count)
                    for part in 0..<Self.parts {
                        if let mask {
                            ct_attend(variant.number, &attention, query, keyValues, values, mask, &found, 0, Int32(rows), part, Self.parts)
                        } else {
                            ct_attend(variant.number, &attention, query, keyValues, values, nil, &found, 0, Int32(rows), part, Self.parts)
                        }
                    }
                    // The probabilities of a mean are rounded to eight bits, or not at all.
                    return Self.judge(found, wanted, sizes: sizes, share: rounds ? 0x1p-7 : 1e-5, isSpoilt: isSpoilt)
                }
            }
        }
    }
}
