import OmniLlama
import Synchronization

/// What the thinker made of each token of a spoken answer, on its way to the talker: first those of the prompt, then those of the reply.
///
/// The text engine's thread adds, the talker's takes.
final class ThinkerFeed: Sendable {
    /// A state and, but for media, the vector of its token, added up.
    struct Row: Sendable, Equatable {
        var values: [Float]
        var place: RotaryPlace
    }

    private struct State {
        var rows: [Row] = []
        var taken = 0
        var isOver = false
        var added: Int { taken + rows.count }
    }

    /// The number of rows that belong to the prompt.
    let promptCount: Int
    private let state = Mutex(State())
    private let onChange: @Sendable () -> Void

    init(promptCount: Int, onChange: @escaping @Sendable () -> Void = {}) { (self.promptCount, self.onChange) = (promptCount, onChange) }

    /// Rows that have come.
    var added: Int { state.withLock { $0.added } }

    /// The row of the token at `index`. A sequence that lost its place comes again from its start: what came before is dropped.
    func add(_ row: Row, at index: Int) {
        state.withLock { state in
            guard index == state.added, !state.isOver else { return }
            state.rows.append(row)
        }
    }

    /// Rows were added: the talker may go on.
    func deliver() { onChange() }

    /// No more will come.
    func end() {
        state.withLock { $0.isOver = true }
        onChange()
    }

    /// Rows that are there, of the prompt or of the reply, but not of both.
    ///
    /// - Parameter isPiece: none before as many are there as may be taken, or as the prompt has left: pieces are the same then however
    ///   the rows come, and so are the last bits of what is made of them.
    func take(most: Int, isPiece: Bool = false) -> [Row] {
        state.withLock { state in
            let left = promptCount - state.taken, isPrompt = left > 0
            let count = min(most, state.rows.count, isPrompt ? left : .max)
            if isPiece, count < min(most, left) { return [] }
            defer {
                state.rows.removeFirst(count)
                state.taken += count
            }
            return Array(state.rows.prefix(count))
        }
    }

    /// The text has ended, and all that was made of it is taken.
    var isEmptied: Bool { state.withLock { $0.isOver && $0.rows.isEmpty } }
    /// There is something to take.
    var hasRows: Bool { state.withLock { !$0.rows.isEmpty } }
}
