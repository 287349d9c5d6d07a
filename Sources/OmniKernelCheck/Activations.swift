/// What a product gets for its x, row by row, and how far off each may be once a kernel has rounded it.
struct Activations {
    /// [rows][inner]
    let values: [Float]
    /// As `values`: the most that rounding may move each.
    let rounding: [Float]

    /// The form that a kernel brings x into before it multiplies.
    enum Form: Equatable {
        case f32, f16, bf16
        /// Eight bits and a scale for each `block`; `sums` where the sum of a block is kept in f16 beside it.
        case eightBits(block: Int, sums: Bool)

        /// Elements that share a scale; 32 where there is none, for the test's own variety.
        var block: Int { if case .eightBits(let block, _) = self { block } else { 32 } }
        var keepsSums: Bool { if case .eightBits(_, true) = self { true } else { false } }
    }

    /// Numbers that every form holds exactly: whole eighths to 127ths of a power of two, with 127 in each block. Whatever a kernel
    /// does to them, nothing but the order of its sums can differ, so that it may be held to the last bits.
    static func exact(rows: Int, inner: Int, form: Form, seed: UInt64) -> Activations {
        var numbers = Numbers(seed: seed)
        var values = [Float](repeating: 0, count: rows * inner)
        for first in stride(from: 0, to: values.count, by: form.block) where !isEmpty(first / inner, block: first % inner / form.block) {
            let unit: Float = 1 / Float(16 << numbers.below(4))
            for place in first..<first + form.block { values[place] = Float(numbers.below(255) - 127) * unit }
            values[first + numbers.below(form.block)] = (numbers.below(2) == 0 ? 127 : -127) * unit
        }
        return Activations(values: values, rounding: [Float](repeating: 0, count: values.count))
    }

    /// Ordinary numbers, which show that a kernel rounds as it should.
    static func ordinary(rows: Int, inner: Int, form: Form, seed: UInt64) -> Activations {
        var numbers = Numbers(seed: seed)
        let values = (0..<rows * inner).map { place in isEmpty(place / inner, block: place % inner / form.block) ? 0 : numbers.normal() }
        var rounding = [Float](repeating: 0, count: values.count)
        for first in stride(from: 0, to: values.count, by: form.block) {
            let largest = values[first..<first + form.block].reduce(0) { max($0, abs($1)) }
            for place in first..<first + form.block {
                rounding[place] =
                    switch form {
                    case .f32: 0
                    case .f16: abs(values[place]) * 0x1p-11 + 0x1p-25
                    case .bf16: abs(values[place]) * 0x1p-8
                    // Half a step, and the step itself is an f16.
                    case .eightBits: largest / 127 / 2 + abs(values[place]) * 0x1p-11
                    }
            }
        }
        return Activations(values: values, rounding: rounding)
    }

    /// Zeros are real: padding, masked tokens. The fourth row is empty, and a block of the third.
    private static func isEmpty(_ row: Int, block: Int) -> Bool { row == 3 || row == 2 && block == 1 }
}
