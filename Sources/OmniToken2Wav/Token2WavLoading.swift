import OmniTensor
import Synchronization

/// How the parts of a checkpoint are laid out in memory.
struct Token2WavLoading {
    let files: WeightFiles
    let backend: Backend
    let isFast: Bool
    let progress: @Sendable (Int, Int) -> Void
    private let done = Progress()

    init(files: WeightFiles, backend: Backend, isFast: Bool, progress: @escaping @Sendable (Int, Int) -> Void) {
        (self.files, self.backend, self.isFast, self.progress) = (files, backend, isFast, progress)
    }

    /// The speaker encoder's, which are used once.
    func encoder() throws -> WeightStore {
        try store { options in
            options.select = { $0.hasPrefix(TensorNames.encoder) }
            options.lineKernels = { SpeakerEncoder.kernels($0) }
        }
    }

    /// Those that make something of times: read for each new schedule, in the file itself.
    func times() throws -> WeightStore {
        try store { options in
            options.select = { TimeNetwork.holds($0) }
            options.sparse = { _ in true }
        }
    }

    func layers() throws -> WeightStore {
        try store { options in
            options.select = {
                $0.hasPrefix(TensorNames.flow) && !$0.hasPrefix(TensorNames.encoder) && !TimeNetwork.holds($0)
            }
            options.quantization = isFast ? .bf16 : nil
            options.keep = { FlowTransformer.keeps($0) }
            options.sparse = { $0.hasSuffix("codec_embed.weight") }
        }
    }

    /// Nil where there are none of that kind.
    func vocoder(_ config: VocoderConfig, isExact: Bool) throws -> WeightStore? {
        @Sendable func selects(_ name: String) -> Bool { name.hasPrefix(TensorNames.vocoder) && Vocoder.isExact(name, config) == isExact }
        guard files.entries.keys.contains(where: selects) else { return nil }
        return try store { options in
            options.select = selects
            options.lineKernels = { Vocoder.kernels($0, config) }
            options.roundsKernels = isFast && !isExact
        }
    }

    private func store(_ adjust: (inout WeightOptions) -> Void) throws -> WeightStore {
        var options = WeightOptions()
        adjust(&options)
        let total = files.entries.values.reduce(0) { $0 + ($1.name.hasPrefix(TensorNames.prefix) ? $1.shape.reduce(4, *) : 0) }
        let (before, all, progress) = (done, total, progress)
        let start = before.value
        return try WeightStore(files, on: backend, options: options) { done, _ in
            before.raise(to: start + done)
            progress(min(before.value, all), all)
        }
    }

    /// Bytes so far.
    private final class Progress: Sendable {
        private let state = Mutex(0)
        var value: Int { state.withLock { $0 } }
        func raise(to value: Int) { state.withLock { $0 = max($0, value) } }
    }
}
