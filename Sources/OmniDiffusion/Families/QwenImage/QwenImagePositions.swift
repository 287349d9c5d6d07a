import OmniTensor

/// Rotary positions along frame, row and column: the picture is centred on 0, and the text goes on from its edge along the diagonal.
struct QwenImagePositions: Sendable, Equatable {
    /// `[tokens]` for each axis.
    var axes: [[Int32]]

    static func picture(columns: Int, rows: Int) -> QwenImagePositions {
        let down = (0..<columns * rows).map { Int32($0 / columns - (rows - rows / 2)) }
        let across = (0..<columns * rows).map { Int32($0 % columns - (columns - columns / 2)) }
        return QwenImagePositions(axes: [[Int32](repeating: 0, count: columns * rows), down, across])
    }

    /// Of `tokens` tokens beside a picture of that size.
    static func text(_ tokens: Int, columns: Int, rows: Int) -> QwenImagePositions {
        let line = (0..<tokens).map { Int32(textStart(columns: columns, rows: rows) + $0) }
        return QwenImagePositions(axes: [line, line, line])
    }

    static func textStart(columns: Int, rows: Int) -> Int { max(columns / 2, rows / 2) }

    static func + (a: QwenImagePositions, b: QwenImagePositions) -> QwenImagePositions {
        QwenImagePositions(axes: zip(a.axes, b.axes).map { $0 + $1 })
    }
}
