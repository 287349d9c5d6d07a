/// The known name that a mistyped one was probably meant to be.
enum NearestName {
    /// Nil when none is near: more than a third of the letters would have to change.
    static func of(_ name: String, among known: some Collection<String>) -> String? {
        let best = known.map { (name: $0, distance: distance(name, $0)) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        guard let best, best.distance <= max(1, name.count / 3) else { return nil }
        return best.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other (optimal string
    /// alignment).
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left), right = Array(right)
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                var best = min(last[column + 1], current[column]) + 1
                best = min(best, last[column] + (left[row] == right[column] ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
