import OmniLlama

/// Which sequence of the KV cache holds what. A slot whose answer is done keeps its tokens until the place is needed, so
/// that the next prompt with the same beginning starts from there.
struct SlotTable {
    struct Slot {
        var owner: Sequence?
        /// What an idle slot holds; a running one is asked through its owner.
        var prompt = Prompt()
        var lastUse = 0
        /// When its answer ended.
        var idleSince: ContinuousClock.Instant?

        var isIdle: Bool { owner == nil && !prompt.tokens.isEmpty }
        var isEmpty: Bool { owner == nil && prompt.tokens.isEmpty }
        /// What it holds was computed with this one.
        var adapter: AdapterFile? { owner?.prompt.adapter ?? prompt.adapter }
        var held: (tokens: [Token], count: Int) {
            if let owner { return (owner.tokens, owner.evaluated) }
            return (prompt.tokens, prompt.tokens.count)
        }
    }

    private(set) var slots: [Slot]
    private var clock = 0
    /// A tail that may be lost to avoid a copy: the length of a short answer.
    static let shortTail = 32
    /// Tokens that are sooner computed than copied: with a cache for each slot a copy takes all of it, however little is held.
    static let copyWorth = 8

    /// Whether running slots should be neighbours.
    let keepsTogether: Bool

    init(count: Int, keepsTogether: Bool = false) {
        slots = Array(repeating: Slot(), count: count)
        self.keepsTogether = keepsTogether
    }

    /// Tokens in the cache, each slot by itself.
    var tokensHeld: Int { slots.reduce(0) { $0 + $1.held.count } }

    enum Placement: Equatable {
        /// Go on in `slot`, which already holds the first `reuse` tokens; forget what it holds beyond.
        case continued(slot: Int, reuse: Int)
        /// Start in `slot` after sharing the first `reuse` tokens of `source`.
        case shared(slot: Int, source: Int, reuse: Int)
        /// Another sequence is just computing the same beginning: wait for it.
        case afterPrefill
        case none
    }

    /// Finds the best place for `prompt`, of which at most `limit` tokens may come from the cache. `cutsAnywhere` is false
    /// for recurrent models, whose state can be taken whole or not at all.
    func placement(for prompt: Prompt, limit: Int, cutsAnywhere: Bool) -> Placement {
        var best = (slot: -1, reuse: 0)
        var commons: [Int] = []
        for (index, slot) in slots.enumerated() {
            let held = slot.adapter == prompt.adapter ? slot.held : (tokens: [], count: 0)
            var common = commonPrefix(held.tokens, held.count, prompt.tokens, limit)
            if let owner = slot.owner, owner.isPrefilling, slot.adapter == prompt.adapter, common == held.count {
                let later = commonPrefix(owner.tokens, owner.tokens.count, prompt.tokens, limit)
                if later - common > Self.shortTail { return .afterPrefill }
            }
            if !cutsAnywhere, common < held.count { common = 0 }
            common = prompt.wholeMedia(common)
            commons.append(common)
            if common > best.reuse { best = (index, common) }
        }
        let free = free(except: best.slot)
        guard best.reuse > 0 else { return (free ?? oldestIdle()).map { .continued(slot: $0, reuse: 0) } ?? .none }
        let source = slots[best.slot]
        if source.isIdle, free == nil || source.prompt.tokens.count - best.reuse <= Self.shortTail {
            return .continued(slot: best.slot, reuse: best.reuse)
        }
        guard let free else { return .none }
        // The place that gives way may hold the same beginning, as all do that have one system message.
        let missing = best.reuse - commons[free]
        if missing == 0 && !keepsTogether { return .continued(slot: free, reuse: commons[free]) }
        // Where neighbours are computed together, the better place of the two is worth more than a few tokens.
        if keepsTogether, missing <= Self.copyWorth, let place = self.free() { return .continued(slot: place, reuse: commons[place]) }
        return .shared(slot: free, source: best.slot, reuse: best.reuse)
    }

    /// The best place for a newcomer: between or beside running slots, empty rather than idle, idle for long.
    private func free(except spared: Int? = nil) -> Int? {
        func rank(_ index: Int) -> (Int, Int, Int) {
            let neighbours = [index - 1, index + 1].filter { slots.indices.contains($0) && slots[$0].owner != nil }.count
            return (keepsTogether ? -neighbours : 0, slots[index].isEmpty ? 0 : 1, slots[index].lastUse)
        }
        return slots.indices.filter { $0 != spared && slots[$0].owner == nil }.min { rank($0) < rank($1) }
    }

    /// The first place between running slots where none runs, and the last running slot, which could go there.
    var gap: (empty: Int, last: Int)? {
        guard keepsTogether, let first = slots.firstIndex(where: { $0.owner != nil }),
            let last = slots.lastIndex(where: { $0.owner != nil }),
            let empty = slots[first...last].firstIndex(where: { $0.owner == nil })
        else { return nil }
        return (empty, last)
    }

    /// Puts what runs in `source` into `target`, whose own tokens are forgotten.
    mutating func move(_ source: Int, to target: Int) {
        slots[target] = slots[source]
        slots[source] = Slot()
    }

    /// The idle slot that was used longest ago.
    func oldestIdle(except spared: Int = -1) -> Int? {
        slots.indices.filter { $0 != spared && slots[$0].isIdle }.min { slots[$0].lastUse < slots[$1].lastUse }
    }

    /// When the first idle slot has been so for `lifetime`; nil where none is.
    func nextExpiry(of lifetime: Duration) -> ContinuousClock.Instant? {
        slots.lazy.filter(\.isIdle).compactMap(\.idleSince).min().map { $0 + lifetime }
    }

    /// The slots that have been idle for `lifetime` at `now`.
    func expired(_ lifetime: Duration, now: ContinuousClock.Instant) -> [Int] {
        slots.indices.filter { index in slots[index].isIdle && slots[index].idleSince.map { $0 + lifetime <= now } ?? false }
    }

    mutating func occupy(_ slot: Int, by sequence: Sequence) {
        slots[slot].owner = sequence
        slots[slot].idleSince = nil
        slots[slot].prompt = Prompt()
        touch(slot)
    }

    /// The owner is done; its evaluated tokens stay, or nothing does.
    mutating func release(_ slot: Int, keeping prompt: Prompt?) {
        slots[slot].owner = nil
        slots[slot].prompt = prompt ?? Prompt()
        slots[slot].idleSince = prompt == nil ? nil : .now
        touch(slot)
    }

    /// A place that others take from lives on.
    mutating func touch(_ slot: Int) {
        clock += 1
        if slots[slot].idleSince != nil { slots[slot].idleSince = .now }
        slots[slot].lastUse = clock
    }
}
