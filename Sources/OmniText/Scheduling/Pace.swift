/// How many prompt tokens may ride along with a decode step, so that the others' tokens keep coming. Learned from the steps
/// themselves: a machine, a model and a context length decide it together.
struct Pace {
    /// Length that a step with others decoding should have while one prompt waits, seconds.
    static let target = 0.045
    /// For each further prompt that waits a step may be so much longer, seconds, up to so many prompts: they come in
    /// together, and who decodes waits once.
    static let more = 0.06
    static let mostPrompts = 8
    /// Or as long as makes prompts so many times the length of the decoding beside them: where that is slow by itself,
    /// pieces of few tokens would only cost more.
    static let leastShare = 2.0
    static let range = 16...256

    private var secondsPerPromptToken = 0.003
    /// Length of a step without prompts, by the number of sequences in it; nil where none was seen.
    private var decodeSeconds: [Double?] = []

    /// Prompt tokens for the next step (half as many again may take a prompt whole) with `decoding` others, while `prompts` are not in the cache yet.
    func chunk(for prompts: Int, beside decoding: Int) -> Int {
        let decode = decodeLength(decoding)
        let length = Self.target + Self.more * Double(min(max(prompts, 1), Self.mostPrompts) - 1)
        let room = max(length - decode, decode * Self.leastShare) / secondsPerPromptToken
        return min(max(Int(room.isFinite ? min(room, 1e6) : 1e6), Self.range.lowerBound), Self.range.upperBound)
    }

    mutating func record(seconds: Double, decoded: Int, prompt: Int) {
        if prompt == 0 {
            while decodeSeconds.count <= decoded { decodeSeconds.append(nil) }
            let known = decodeSeconds[decoded] ?? decodeLength(decoded)
            decodeSeconds[decoded] = known + (seconds - known) * 0.2
        } else if prompt >= 8 {
            let own = max(seconds - decodeLength(decoded), seconds * 0.25)
            secondsPerPromptToken += (own / Double(prompt) - secondsPerPromptToken) * 0.3
        }
    }

    /// Expected length of a step in which `decoding` sequences get a token: as measured, or as with the next fewer that were.
    private func decodeLength(_ decoding: Int) -> Double {
        guard decoding > 0 else { return 0 }
        return decodeSeconds.prefix(decoding + 1).last { $0 != nil }.flatMap { $0 } ?? 0.01
    }
}
