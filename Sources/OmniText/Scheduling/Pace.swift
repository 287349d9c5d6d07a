/// How many prompt tokens may ride along with a decode step, so that the others' tokens keep coming. Learned from the steps
/// themselves: a machine, a model and a context length decide it together.
struct Pace {
    /// Length that a step with others decoding should have while one prompt waits, seconds.
    static let target = 0.045
    /// For each of so many prompts that wait a step may be as much longer: they come in together, and who decodes waits once.
    static let mostPrompts = 4
    static let range = 16...256

    private var secondsPerPromptToken = 0.003
    private var secondsPerDecode = 0.01

    /// Prompt tokens for the next step with others decoding, while `prompts` are not in the cache yet.
    func chunk(for prompts: Int) -> Int {
        let length = Self.target * Double(min(max(prompts, 1), Self.mostPrompts))
        let room = (length - secondsPerDecode) / secondsPerPromptToken
        return min(max(Int(room.isFinite ? min(room, 1e6) : 1e6), Self.range.lowerBound), Self.range.upperBound)
    }

    mutating func record(seconds: Double, decoded: Int, prompt: Int) {
        if prompt == 0 {
            secondsPerDecode += (seconds - secondsPerDecode) * 0.2
        } else if prompt >= 8 {
            let own = max(seconds - (decoded > 0 ? secondsPerDecode : 0), seconds * 0.25)
            secondsPerPromptToken += (own / Double(prompt) - secondsPerPromptToken) * 0.3
        }
    }
}
