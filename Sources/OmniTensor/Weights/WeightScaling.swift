/// What turns stored values of eight bits into weights: a factor for all or for each row, and a rotation of the inputs where there is one.
struct WeightScaling: Sendable, Equatable {
    /// One, or one for each row.
    let factors: [Float]
    /// Inputs that were turned together before they were rounded, a power of four; 0 for none.
    let rotation: Int

    /// Scales and turns back `rows` of `length` values each.
    func apply(to values: UnsafeMutablePointer<Float>, rows: Range<Int>, of length: Int) {
        for (place, row) in rows.enumerated() {
            let (start, factor) = (values + place * length, factors.count == 1 ? factors[0] : factors[row])
            for index in 0..<length { start[index] *= factor }
            guard rotation > 0 else { continue }
            for group in stride(from: 0, to: length, by: rotation) { Self.turn(start + group, rotation) }
        }
    }

    /// That of an equal part of the rows.
    func part(_ index: Int, of count: Int) -> WeightScaling {
        guard factors.count > 1 else { return self }
        let size = factors.count / count
        return WeightScaling(factors: Array(factors[index * size..<(index + 1) * size]), rotation: rotation)
    }

    /// Multiplies by the regular Hadamard matrix of `count`, the Kronecker power of one of four by four that is its own inverse (ConvRot,
    /// as comfy-kitchen has it: `[1,1,1,-1] [1,1,-1,1] [1,-1,1,1] [-1,1,1,1]` over 2).
    private static func turn(_ values: UnsafeMutablePointer<Float>, _ count: Int) {
        var step = 1
        while step < count {
            for block in stride(from: 0, to: count, by: 4 * step) {
                for place in block..<block + step {
                    let (a, b, c, d) = (values[place], values[place + step], values[place + 2 * step], values[place + 3 * step])
                    let half = (a + b + c + d) / 2
                    (values[place], values[place + step]) = (half - d, half - c)
                    (values[place + 2 * step], values[place + 3 * step]) = (half - b, half - a)
                }
            }
            step *= 4
        }
    }
}
