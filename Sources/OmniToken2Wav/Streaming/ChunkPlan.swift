/// Frames that are computed together, and those of them that are final then.
struct ChunkWindow: Equatable, Sendable {
    /// All frames of the window, and those that become final with it. Both begin at a multiple of a block.
    let frames: Range<Int>
    let final: Range<Int>
}

/// How an utterance is cut while its codes come: windows of whole blocks, a few before what is new and one behind it, the first small and later
/// ones larger.
struct ChunkPlan: Sendable {
    private let block: Int
    /// Blocks before what is new, and behind.
    private let back, ahead: Int
    /// New blocks of each window in turn; the last again and again.
    private let sizes: [Int]
    private var windows = 0
    /// Frames that are final.
    private(set) var done = 0

    init(block: Int, back: Int = 2, ahead: Int = 1, sizes: [Int] = [1, 2, 4, 8]) {
        (self.block, self.back, self.ahead, self.sizes) = (block, back, ahead, sizes)
    }

    private var size: Int { sizes[min(windows, sizes.count - 1)] }

    /// Frames that the next window waits for, counted from the first of all.
    var wanted: Int { done + (size + ahead) * block }

    /// The most frames of a window.
    var most: Int { (back + (sizes.max() ?? 1) + 2 * ahead) * block }

    /// The next window, where `frames` are known; nil where more must come first.
    ///
    /// - Parameter isWhole: there will be no more.
    mutating func next(frames: Int, isWhole: Bool) -> ChunkWindow? {
        guard frames > done, isWhole || frames >= wanted else { return nil }
        // What would be left of the end alone is taken with it.
        let end = frames >= wanted + (isWhole ? 1 : 0) ? done + size * block : frames
        let window = ChunkWindow(frames: max(0, done - back * block)..<min(frames, end + ahead * block), final: done..<end)
        (windows, done) = (windows + 1, end)
        return window
    }
}
