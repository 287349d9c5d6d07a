/// Rotary positions along three axes: place in the sequence, row, column. Caption tokens count along the first axis from
/// 1; the picture stands one behind the padded caption; padding of the picture stands at 0, 0, 0.
struct ZImagePositions: Sendable, Equatable {
    /// `[tokens]` for each axis.
    var axes: [[Int32]]

    var count: Int { axes[0].count }

    /// Padding continues the count.
    static func caption(_ tokens: Int) -> ZImagePositions {
        let padded = ZImageConfig.padded(tokens)
        let zeros = [Int32](repeating: 0, count: padded)
        return ZImagePositions(axes: [(1...Int32(padded)).map { $0 }, zeros, zeros])
    }

    static func picture(columns: Int, rows: Int, captionTokens: Int) -> ZImagePositions {
        let rest = [Int32](repeating: 0, count: ZImageConfig.padded(columns * rows) - columns * rows)
        let first = [Int32](repeating: Int32(ZImageConfig.padded(captionTokens) + 1), count: columns * rows)
        let down = (0..<columns * rows).map { Int32($0 / columns) }
        let across = (0..<columns * rows).map { Int32($0 % columns) }
        return ZImagePositions(axes: [first + rest, down + rest, across + rest])
    }

    static func + (a: ZImagePositions, b: ZImagePositions) -> ZImagePositions {
        ZImagePositions(axes: zip(a.axes, b.axes).map { $0 + $1 })
    }

    static func divisors(_ config: ZImageConfig) -> [Float] { Rotation.divisors(config.axes_dims, theta: config.rope_theta) }
}
