import OmniTensor

/// The noise of an utterance, frame by frame: what a frame gets depends on its place and the seed alone, and is what `torch.randn([frames,
/// bands])` has there. Frames that nobody will ask for any more are given up.
struct NoiseLine {
    private var generator: TorchGenerator
    private let bands: Int
    /// Frames from `first` on.
    private var values: [Float] = []
    private var first = 0

    init(seed: UInt64, bands: Int) {
        generator = TorchGenerator(seed: seed)
        self.bands = bands
    }

    /// Of `frames`; none before `frames.lowerBound` will be asked for later.
    mutating func callAsFunction(_ frames: Range<Int>) -> [Float] {
        values.removeFirst(min(values.count, max(0, frames.lowerBound - first) * bands))
        first = max(first, frames.lowerBound)
        // Numbers come in sixteens, whatever is asked for at once.
        let missing = (frames.upperBound - first) * bands - values.count
        if missing > 0 { values += generator.normal((missing + 15) / 16 * 16) }
        return Array(values.prefix(frames.count * bands))
    }
}
