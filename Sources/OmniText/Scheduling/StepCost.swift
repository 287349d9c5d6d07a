/// What a step costs, learned from the steps themselves: seconds against the rows that pass the model together, and against the
/// cells that they attend to.
///
/// A curve through breakpoints and no straight line: on some CPUs sixteen rows cost as much as a hundred. Between breakpoints it is
/// straight; outside of what was seen it hopes for the best, within limits, so that it is tried and known.
struct StepCost: Sendable {
    static let breakpoints = (0...13).map { 1 << $0 }

    /// Seconds of a pass of as many rows as each breakpoint says, attention left out; nil where none was seen.
    private var seconds = [Double?](repeating: nil, count: StepCost.breakpoints.count)
    /// Seconds for each row and cell that it attends to, of few rows together and of many (``BatchSetup/fewRows``): where the kernel for
    /// few is slow, sixty-four rows may cost less than forty.
    private(set) var attention = 0.0, attentionOfMany = 0.0

    /// The most rows of a pass that was seen, rounded to a breakpoint; 0 before the first.
    var mostRows: Int { seconds.lastIndex { $0 != nil }.map { Self.breakpoints[$0] } ?? 0 }

    /// Expected seconds of a step.
    func time(of passes: [BatchPass]) -> Double {
        let pairs = Self.pairs(of: passes)
        return passes.reduce(attention * pairs.few + attentionOfMany * pairs.many) { $0 + time(ofRows: $1.rows) }
    }

    /// Whether a good part of a step's time is expected to go into attention of few rows together.
    func isSlowedByAttentionOfFew(_ passes: [BatchPass]) -> Bool {
        attention * Self.pairs(of: passes).few > time(of: passes) / 5
    }

    /// Takes in that a step of `passes` took so many seconds.
    mutating func record(_ seconds: Double, passes: [BatchPass]) {
        guard seconds > 0, let largest = passes.max(by: { $0.rows < $1.rows }), largest.rows > 0 else { return }
        if mostRows == 0 { return begin(seconds, rows: largest.rows) }
        var weights = [Double](repeating: 0, count: Self.breakpoints.count)
        for pass in passes where pass.rows > 0 {
            let (index, share) = Self.place(of: pass.rows)
            weights[index] += 1 - share
            if share > 0 { weights[index + 1] += share }
        }
        let pairs = Self.pairs(of: passes)
        let rows = Double(passes.reduce(0) { $0 + $1.rows })
        // What is seen for the first time takes the whole difference, what is known a part of it. A size that was hardly touched stays
        // unknown, and one that was touched a little costs more where the step did: as a guess that is not corrected it would stand
        // in the way of better ones.
        let new = weights.indices.filter { weights[$0] >= 0.3 && self.seconds[$0] == nil }
        let expected = time(of: passes)
        for index in weights.indices where weights[index] >= 0.1 && self.seconds[index] == nil {
            let surprise = weights[index] < 0.3 && expected > 0 ? min(max(seconds / expected, 1), 2) : 1
            self.seconds[index] = time(ofRows: Self.breakpoints[index]) * surprise
        }
        var error = seconds - expected
        let adapting: [Int]
        if new.isEmpty {
            // A step that another program held up says little.
            error = min(max(error, -expected), expected) * 0.3
            adapting = weights.indices.filter { weights[$0] > 0 && self.seconds[$0] != nil }
        } else {
            adapting = new
        }
        // Least squares, one step at a time; attention counts as its share of rows that see two thousand cells.
        let unit = rows * 2048
        let depth = new.isEmpty ? (few: pairs.few / unit, many: pairs.many / unit) : (few: 0, many: 0)
        let norm = adapting.reduce(depth.few * depth.few + depth.many * depth.many) { $0 + weights[$1] * weights[$1] }
        attention = max(attention + error * depth.few / norm / unit, 0)
        attentionOfMany = max(attentionOfMany + error * depth.many / norm / unit, 0)
        for index in adapting { self.seconds[index] = max((self.seconds[index] ?? 0) + error * weights[index] / norm, 1e-6) }
        adapting.sorted { weights[$0] < weights[$1] }.forEach { shape(around: $0) }
    }

    /// More rows never cost less, and twice the rows hardly more than twice: what was just seen corrects what was seen long ago. A
    /// row or two may have a kernel of their own, and one more cost five times as much: they say little about others.
    private mutating func shape(around anchor: Int) {
        guard let value = seconds[anchor] else { return }
        for (index, known) in seconds.enumerated() where index != anchor {
            guard let known else { continue }
            guard index > 1, anchor > 1 else {
                seconds[index] = index < anchor ? min(known, value) : max(known, value)
                continue
            }
            let ratio = Double(Self.breakpoints[index]) / Double(Self.breakpoints[anchor])
            seconds[index] = index < anchor ? min(max(known, value * ratio / 1.15), value) : max(min(known, value * ratio * 1.15), value)
        }
    }

    private mutating func begin(_ value: Double, rows: Int) {
        let (index, share) = Self.place(of: rows)
        for place in share >= 0.1 ? [index, index + 1] : [index] {
            seconds[place] = value * Self.below(Double(Self.breakpoints[place]) / Double(rows))
        }
    }

    /// Seconds of one pass, attention left out.
    private func time(ofRows rows: Int) -> Double {
        let known = seconds.enumerated().compactMap { index, value in value.map { (rows: Double(Self.breakpoints[index]), seconds: $0) } }
        let rows = Double(rows)
        guard let first = known.first, let last = known.last else { return 0.005 + 0.0005 * rows }
        if rows <= first.rows { return first.seconds * Self.below(rows / first.rows) }
        guard let above = known.firstIndex(where: { $0.rows >= rows }) else {
            let even = last.seconds / last.rows
            let slope = known.dropLast().last.map { (last.seconds - $0.seconds) / (last.rows - $0.rows) } ?? even
            return last.seconds + (rows - last.rows) * min(max(slope * 0.5, even * 0.1), even * 0.5)
        }
        let (low, high) = (known[above - 1], known[above])
        return low.seconds + (high.seconds - low.seconds) * (rows - low.rows) / (high.rows - low.rows)
    }

    /// Rows times the cells that they attend to, of passes with few rows together and with many.
    private static func pairs(of passes: [BatchPass]) -> (few: Double, many: Double) {
        passes.reduce(into: (few: 0, many: 0)) { sum, pass in
            let pairs = Double(pass.rows * pass.cells)
            if pass.rowsTogether > BatchSetup.fewRows { sum.many += pairs } else { sum.few += pairs }
        }
    }

    /// The time of so many times the rows of which it is known.
    private static func below(_ ratio: Double) -> Double { 0.25 + 0.75 * ratio }

    /// The breakpoint below `rows`, and how far it is to the next one, 0 to 1.
    private static func place(of rows: Int) -> (index: Int, share: Double) {
        let index = min(max(rows.bitWidth - 1 - rows.leadingZeroBitCount, 0), breakpoints.count - 2)
        return (index, min(Double(rows - breakpoints[index]) / Double(breakpoints[index]), 1))
    }
}
