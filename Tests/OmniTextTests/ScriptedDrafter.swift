import OmniLlama
import Synchronization

@testable import OmniText

/// Guesses what it saw the engine write before, every so many tokens a wrong one. Several engines may have it one after the other.
final class ScriptedDrafter: Drafter, Sendable {
    private let known = Mutex<[[Token]]>([])
    private let quiet: Bool
    private let wrongEvery: Int

    /// `quiet`: only watches, and guesses nothing.
    init(quiet: Bool = false, wrongEvery: Int = 5) {
        self.quiet = quiet
        self.wrongEvery = wrongEvery
    }

    /// The same memory, loud.
    convenience init(knowing other: ScriptedDrafter, wrongEvery: Int = 5) {
        self.init(wrongEvery: wrongEvery)
        let texts = other.known.withLock { $0 }
        known.withLock { $0 = texts }
    }

    func draft(_ wanted: [(sequence: Sequence, count: Int)]) -> [[Token]] {
        known.withLock { known in
            wanted.map { sequence, count in
                let tokens = sequence.tokens
                if quiet {
                    known.removeAll { tokens.starts(with: $0) }
                    known.append(tokens)
                    return []
                }
                guard let text = known.first(where: { $0.count > tokens.count && $0.starts(with: tokens) }) else { return [] }
                return text[tokens.count...].prefix(count).enumerated().map { offset, token in
                    (tokens.count + offset) % wrongEvery == 0 ? (token + 1) % 1000 : token
                }
            }
        }
    }

    func time(_ counts: [Int]) -> Double { 0 }
    func takes(_ sequence: Sequence) -> Bool { true }
    func forget(_ sequence: Sequence) {}
}
