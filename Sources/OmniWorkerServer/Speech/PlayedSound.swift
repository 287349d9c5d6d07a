/// Sound as somebody hears it who plays it as it comes, from its first piece on.
struct PlayedSound: Sendable, Equatable {
    /// Pieces that come so much too late, in seconds, are heard as a gap.
    static let audibleGap = 0.01

    /// When the first piece came, in seconds.
    private(set) var began: Double?
    /// Length of all pieces.
    private(set) var seconds = 0.0
    /// How often all that had come was played before more did.
    private(set) var underruns = 0
    private var waited = 0.0

    /// A piece of so many seconds came `time` seconds after the request.
    mutating func add(_ length: Double, at time: Double) {
        let start = began ?? time
        began = start
        let gap = time - start - waited - seconds
        if gap > Self.audibleGap {
            underruns += 1
            waited += gap
        }
        seconds += length
    }
}
