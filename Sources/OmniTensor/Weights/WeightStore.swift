import CLlama

/// What is done to weights while they are loaded.
public struct WeightOptions: Sendable {
    /// Threads that read shards; 1 reads one after the other.
    public var threads = 4
    /// Uses the files' own pages where a tensor stays as it is, on a device that shares this process's memory.
    public var maps = true
    /// Stores matrices as this type; nil keeps what the file has. Rows that its blocks do not fill stay as they are.
    public var quantization: ElementType?
    /// Which tensors to load.
    public var select: @Sendable (String) -> Bool = { _ in true }
    /// Tables of which a request uses a few rows: their mapped pages are read when needed.
    public var sparse: @Sendable (String) -> Bool = { _ in false }
    /// Matrices to keep out of quantization, by name: embeddings and first and last layers.
    public var keep: @Sendable (String) -> Bool = { _ in false }
    /// Lays all kernels, and what is one, out for ``Graph/conv3d(_:kernel:bias:window:past:)``, in f32.
    public var packsKernels = false
    /// Rounds packed kernels to bf16 where this CPU is faster with that; their layers then round what goes in, too.
    public var roundsKernels = false
    /// Kernels of convolutions along a line by name, to be laid out for ``Graph/conv1d(_:kernel:outputs:bias:window:padding:)`` and its
    /// transpose.
    public var lineKernels: @Sendable (String) -> LineKernel? = { _ in nil }
    /// For a matrix or vector by name and number of outputs: which output of the file becomes output `i`. Nil keeps the order.
    public var order: @Sendable (String, Int) -> [Int]? = { _, _ in nil }

    public init() {}

    /// How the values of `entry` are laid out anew.
    ///
    /// - Parameter kernels: of ours; nil where ggml's operations compute.
    func arrangement(of entry: WeightEntry, for kernels: KernelVariant?) -> WeightArrangement {
        if let packed = packing(of: entry, for: kernels) { return packed }
        return order(entry.name, entry.shape.count == 1 ? entry.rowLength : entry.rows).map { .outputs($0) } ?? .asIs
    }

    private func packing(of entry: WeightEntry, for kernels: KernelVariant?) -> WeightArrangement? {
        if let kind = lineKernels(entry.name) { return linePacking(of: entry, kind, for: kernels) }
        guard packsKernels else { return nil }
        let axes = entry.axes
        guard axes.count >= 3 else { return nil }
        if axes.dropLast().allSatisfy({ $0 == 1 }) { return .vector }
        guard axes.count >= 4 else { return nil }
        let (inputs, outputs) = (axes[axes.count - 2], axes[axes.count - 1])
        guard let kernels else {
            let depth = axes.count > 4 ? axes[2...].dropLast(2).reduce(1, *) : 1
            return .matrices(depth: depth, taps: axes.dropLast(2).reduce(1, *) / depth, inputs: inputs, outputs: outputs)
        }
        let group = roundsKernels && kernels.rounds && inputs % 2 == 0 ? 2 : 1
        return .panels(taps: axes.dropLast(2).reduce(1, *), inputs: inputs, outputs: outputs, group: group, for: kernels)
    }

    /// Vectors are small and used in f32. Matrices stay as they are, or are quantized.
    func storage(of entry: WeightEntry, for kernels: KernelVariant?) -> ElementType {
        if let packed = packing(of: entry, for: kernels) {
            var last = packed
            if case .phases(_, _, _, let kernel) = packed { last = kernel }
            switch last {
            case .panels(_, _, _, group: 2, _): return .bf16
            case .matrices: return roundsKernels ? .bf16 : .f32
            default: return .f32
            }
        }
        let floats: ElementType
        switch entry.encoding {
        case _ where entry.scaling != nil: floats = .bf16
        case .native(let type) where [.i8, .i16, .i32, .i64].contains(type): return type
        case .native(let type): floats = type == .f64 ? .f32 : type
        case .e4m3, .e5m2: floats = .bf16
        }
        if entry.shape.count != 2 || entry.rows == 1 { return .f32 }
        guard let quantization, !floats.isQuantized, !keep(entry.name), entry.rowLength % quantization.blockSize == 0 else { return floats }
        return quantization
    }
}

/// Weights in a device's memory, by name.
// @unchecked: filled before the initializer returns, only read afterwards.
public final class WeightStore: @unchecked Sendable {
    /// Bytes on the device.
    public var byteCount: Int { memory.byteCount }
    /// Those of them that are the files' own pages, which count as available memory but are needed.
    public var mappedBytes: Int { memory.mappedBytes }
    /// Those that lie in memory of a device other than the CPU, by what ggml says of their buffer.
    public var deviceBytes: Int { memory.deviceBytes }
    /// Folder or file the weights came from, for messages.
    public let source: String
    private let tensors: [String: UnsafeMutablePointer<ggml_tensor>]
    private let memory: WeightMemory
    private let backend: Backend

    /// Loads `files` onto `backend`. Blocks; several threads read at once.
    ///
    /// - Parameter progress: called now and then, from any thread, with bytes read and bytes in all.
    public init(
        _ files: WeightFiles, on backend: Backend, options: WeightOptions = WeightOptions(),
        progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) throws {
        let entries = files.entries.values.filter { options.select($0.name) }.sorted {
            ($0.file.path, $0.offset) < ($1.file.path, $1.offset)
        }
        guard !entries.isEmpty else { throw TensorError.file(path: files.source, reason: "holds no weights of this model") }
        let memory = try WeightMemory(tensors: entries.count)
        var jobs: [WeightLoader.Job] = []
        var tensors: [String: UnsafeMutablePointer<ggml_tensor>] = [:]
        for entry in entries {
            let kernels = backend.ownKernels
            let (type, arrangement) = (options.storage(of: entry, for: kernels), options.arrangement(of: entry, for: kernels))
            let tensor = try memory.makeTensor(entry.name, type, arrangement.shape(entry.shape))
            let asIs = entry.encoding == .native(type) && arrangement == .asIs
            let isMapped = options.maps && backend.isHost && asIs && memory.map(tensor, entry)
            tensors[entry.name] = tensor
            let isSparse = options.sparse(entry.name)
            jobs.append(
                WeightLoader.Job(entry: entry, tensor: tensor, type: type, arrangement: arrangement, isMapped: isMapped, isSparse: isSparse)
            )
        }
        try memory.allocate(on: backend)
        try WeightLoader(isHost: backend.isHost, threads: options.threads, progress: progress).run(jobs)
        self.tensors = tensors
        self.memory = memory
        self.backend = backend
        source = files.source
    }

    public func contains(_ name: String) -> Bool { tensors[name] != nil }

    /// The tensor of that name, which must have `shape` (fastest axis first).
    public func tensor(_ name: String, _ shape: [Int]) throws -> Tensor {
        guard let raw = tensors[name] else { throw TensorError.missing(tensor: name, among: source) }
        let tensor = Tensor(raw, owner: self)
        let wanted = Tensor.trimmed(shape)
        guard tensor.shape == wanted else { throw TensorError.mismatch(tensor: name, expected: "\(wanted)", found: "\(tensor.shape)") }
        guard [.f32, .f16, .bf16].contains(tensor.type) || tensor.type.isQuantized else {
            throw TensorError.mismatch(tensor: name, expected: "floating point", found: tensor.type.description)
        }
        return tensor
    }

    /// A kernel that was loaded with ``WeightOptions/packsKernels``.
    public func packedKernel(_ name: String, taps: Int, inputs: Int, outputs: Int) throws -> Tensor {
        guard let kernels = backend.ownKernels else {
            // How many of the taps are frames is the file's to say.
            let rows = tensors[name].map { Int($0.pointee.ne.1) } ?? outputs
            return try tensor(name, [taps * inputs * outputs / rows, rows])
        }
        let group = tensors[name]?.pointee.type == GGML_TYPE_BF16 ? 2 : 1
        return try tensor(name, WeightArrangement.panelShape(taps: taps, inputs: inputs, outputs: outputs, group: group, for: kernels))
    }

    /// Gives the pages of mapped files back to the system, where the weights will not be read for long. They come back when they are.
    public func releaseMappedPages() { memory.releaseMaps() }

    public var names: [String] { tensors.keys.sorted() }

    /// The values of a tensor as f32, whatever it is stored as; nil where there is none of that name.
    public func values(_ name: String) -> [Float]? {
        guard let raw = tensors[name] else { return nil }
        let tensor = Tensor(raw, owner: self)
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        ggml_backend_tensor_get(raw, &bytes, 0, bytes.count)
        var values = [Float](repeating: 0, count: tensor.count)
        bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            WeightEncoding.native(tensor.type).decode(base, tensor.count, into: &values)
        }
        return values
    }

    /// The shape of a tensor, fastest axis first.
    public func shape(_ name: String) -> [Int]? { tensors[name].map { Tensor($0, owner: self).shape } }

    /// A tensor that holds a value that is infinite or no number; slow, for explaining a failure.
    public func firstNotFinite() -> String? {
        names.first { values($0)?.allSatisfy(\.isFinite) == false }
    }
}
