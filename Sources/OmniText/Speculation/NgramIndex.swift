import OmniLlama

/// Tokens in which a run that was met before is found at once: for every run of `shortest` tokens the places where it ended, newest
/// first. A token is taken in once, and a search looks at a few places, however long the text is.
struct NgramIndex {
    /// A place that comes after the same tokens as those that were asked for.
    struct Match: Equatable {
        /// Index of the token that followed.
        var place: Int
        /// How many tokens before it are the same.
        var length: Int
    }

    /// Places that a search looks at.
    private static let candidates = 16

    let shortest: Int
    let longest: Int
    private(set) var tokens: [Token] = []
    /// The last place after a run, by the run's hash.
    private var newest: [UInt64: Int32] = [:]
    /// For each place the one before it after a run of the same hash, -1 where there is none.
    private var earlier: [Int32] = []

    /// Runs of `shortest` to `longest` tokens are told apart; both at least 1.
    init(shortest: Int, longest: Int) {
        self.shortest = max(shortest, 1)
        self.longest = max(longest, shortest, 1)
    }

    mutating func append(_ token: Token) {
        let place = tokens.count
        tokens.append(token)
        guard place >= shortest else { return earlier.append(-1) }
        let key = Self.hash(tokens, before: place, count: shortest)
        earlier.append(newest.updateValue(Int32(place), forKey: key) ?? -1)
    }

    mutating func append(contentsOf more: some Collection<Token>) {
        tokens.reserveCapacity(tokens.count + more.count)
        earlier.reserveCapacity(tokens.count + more.count)
        for token in more { append(token) }
    }

    /// The place after the longest run that `text` ends with, the newest of equals. `text` may be the index's own tokens, whose end
    /// is no match for itself.
    func match(endOf text: [Token]) -> Match? {
        guard text.count >= shortest else { return nil }
        var place = newest[Self.hash(text, before: text.count, count: shortest)] ?? -1
        var best: Match?
        for _ in 0..<Self.candidates where place >= 0 {
            let length = common(before: Int(place), with: text)
            if length >= shortest, length > best?.length ?? 0 { best = Match(place: Int(place), length: length) }
            if length == longest { break }
            place = earlier[Int(place)]
        }
        return best
    }

    /// At most `count` tokens from `place` on. `repeats`: where the tokens end they go on as they would if this were so, which is
    /// how a text that runs in a circle goes on. Ends before a picture or a sound.
    func continuation(at place: Int, count: Int, repeats: Bool) -> [Token] {
        var found: [Token] = []
        found.reserveCapacity(count)
        while found.count < count {
            let index = place + found.count
            guard index < tokens.count || repeats else { break }
            let token = index < tokens.count ? tokens[index] : found[index - tokens.count]
            guard token >= 0 else { break }
            found.append(token)
        }
        return found
    }

    private func common(before place: Int, with text: [Token]) -> Int {
        let most = min(place, text.count, longest)
        var length = 0
        while length < most, tokens[place - 1 - length] == text[text.count - 1 - length] { length += 1 }
        return length
    }

    private static func hash(_ tokens: [Token], before end: Int, count: Int) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in end - count..<end { hash = (hash ^ UInt64(UInt32(bitPattern: tokens[index]))) &* 0x9E37_79B9_7F4A_7C15 }
        return hash ^ hash >> 29
    }
}
