/// Rows of a batch that pass the model together, and the cells of the cache that each of them attends to.
struct BatchPass: Equatable, Sendable {
    var rows: Int
    var cells: Int
    /// How many of the rows attend to the same cells: ggml has another kernel for many.
    var rowsTogether: Int

    init(rows: Int, cells: Int, rowsTogether: Int? = nil) {
        self.rows = rows
        self.cells = cells
        self.rowsTogether = rowsTogether ?? rows
    }
}

extension BatchPass {
    /// Tokens of one sequence in a batch.
    struct Piece {
        var slot: Int
        var count: Int
        /// Cells that the slot holds before the step.
        var held: Int
    }

    /// One cache for all sequences: everything passes together, over everybody's cells.
    static func unified(_ pieces: [Piece], cells: Int) -> [BatchPass] {
        let rows = pieces.reduce(0) { $0 + $1.count }
        return rows == 0 ? [] : [BatchPass(rows: rows, cells: cells + rows / 2)]
    }

    /// A cache for each: libllama takes neighbours with rising slots together, as many rows of each as the shortest has left, and
    /// goes over the batch again for the rest.
    static func split(_ pieces: [Piece]) -> [BatchPass] {
        var left = pieces.map(\.count)
        var passes: [BatchPass] = []
        while let first = left.firstIndex(where: { $0 > 0 }) {
            var members = [first]
            for index in (first + 1)..<max(pieces.count, first + 1)
            where left[index] > 0 && pieces[index].slot == pieces[members[members.count - 1]].slot + 1 {
                members.append(index)
            }
            let rows = members.map { left[$0] }.min() ?? 0
            let cells = members.map { pieces[$0].held + pieces[$0].count - left[$0] + rows / 2 }.max() ?? 0
            for index in members { left[index] -= rows }
            passes.append(BatchPass(rows: rows * members.count, cells: cells, rowsTogether: rows))
        }
        return passes
    }
}
