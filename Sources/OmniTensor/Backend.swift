import CLlama
import Foundation
import OmniDevices
import OmniEngine
import Synchronization

/// The device that computes, and the CPU for whatever it cannot: owns ggml's handles.
// @unchecked: the handles never change, and an engine computes on one thread at a time.
public final class Backend: @unchecked Sendable {
    /// In order of preference; the CPU is last.
    let handles: [ggml_backend_t]
    /// Human name of the first device.
    public let name: String
    public let threads: Int
    /// The device that computes; the CPU where there is no other.
    public let device: ComputeDevice
    /// Whether tensors lie in memory that this process can address.
    let isHost: Bool
    /// The operations of graphs that ran here, where somebody wants to know.
    public let operations = OperationLog()
    /// The kernels of ours that compute here.
    public let kernels: KernelVariant
    /// The same where they do compute: on a GPU, graphs are made of ggml's own operations.
    let ownKernels: KernelVariant?
    let throughput: KernelThroughput
    let pacer: SlicePacer
    /// The token of the graph that is running; read by ggml's abort callback on its own threads.
    private let running = RunningToken()

    /// The first GPU where the library was built with one and `useGPU` is true, else the CPU alone.
    ///
    /// - Parameters:
    ///   - threads: CPU threads of a graph; as many as there are cores is best (NATIVE.md).
    ///   - device: computes instead of the first GPU.
    ///   - kernels: of ours; what the process chose where nil.
    ///   - ownKernels: false leaves out kernels of ours, as on a GPU: for tests.
    /// - Throws: ``TensorError/kernels(name:runnable:exists:)`` where `OMNI_CPU` names what cannot run; ``TensorError/backend(_:)`` where
    ///   the device that was asked for does not start.
    public init(
        threads: Int = Processors.current.threads, useGPU: Bool = true, device: ComputeDevice? = nil, kernels: KernelVariant? = nil,
        ownKernels: Bool = true
    ) throws {
        self.kernels = try kernels ?? .chosen()
        throughput = KernelThroughput(self.kernels, threads: max(1, threads))
        pacer = SlicePacer(throughput: throughput)
        Self.prepareProcess
        var handles: [ggml_backend_t] = []
        guard let plain = ComputeDevice.all.first(where: { $0.kind == .cpu }) else { throw TensorError.backend("ggml has no CPU backend") }
        let gpu = device ?? (useGPU ? .preferredGPU : nil)
        let chosen = gpu.flatMap { $0.isGPU ? $0 : nil } ?? plain
        if let gpu, gpu.isGPU {
            guard let handle = ggml_backend_dev_init(gpu.handle, nil) else {
                throw TensorError.backend("the device \(gpu.name) (\(gpu.summary)) does not start")
            }
            handles.append(handle)
        }
        guard let cpu = ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nil) else {
            handles.forEach { ggml_backend_free($0) }
            throw TensorError.backend("ggml has no CPU backend")
        }
        handles.append(cpu)
        self.handles = handles
        self.threads = max(1, threads)
        name = String(cString: ggml_backend_name(handles[0]))
        isHost = handles.count == 1
        self.device = chosen
        self.ownKernels = isHost && ownKernels ? self.kernels : nil
        CPUFunctions.setThreads(cpu, self.threads)
        CPUFunctions.setAbort(
            cpu,
            { user in
                guard let user else { return false }
                return Unmanaged<RunningToken>.fromOpaque(user).takeUnretainedValue().isCancelled
            }, Unmanaged.passUnretained(running).toOpaque())
    }

    /// Once: finds the backends that are libraries of their own, and has large memory go back to the system when freed.
    /// glibc keeps up to 64 MiB otherwise, once such pieces have been freed: a request would take more than its price.
    private static let prepareProcess: Void = {
        ComputeDevice.loadBackends()
        #if canImport(Glibc)
            // Swift's Glibc does not show `mallopt`; -3 is its M_MMAP_THRESHOLD.
            if let symbol = dlsym(nil, "mallopt") {
                _ = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)(-3, 1 << 20)
            }
        #endif
    }()

    deinit { handles.forEach { ggml_backend_free($0) } }

    /// Whether the device computes that node; whatever it does not, the CPU does.
    func supports(_ node: Tensor) -> Bool { ggml_backend_supports_op(handles[0], node.raw) }

    /// Memory for tensors that stay: weights.
    func makeBuffer(_ context: OpaquePointer, bytes: Int) throws -> OpaquePointer {
        guard let buffer = ggml_backend_alloc_ctx_tensors(context, handles[0]) else {
            throw TensorError.memory(bytes: bytes, what: "weights on \(name)")
        }
        ggml_backend_buffer_set_usage(buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS)
        return buffer
    }

    /// Makes `token` what the abort callback polls while `body` runs.
    func abortable<Result>(by token: CancellationToken, _ body: () throws -> Result) rethrows -> Result {
        running.set(token)
        defer { running.set(nil) }
        return try body()
    }
}

/// Where the abort callback finds the current token. One graph runs at a time on a backend.
private final class RunningToken: Sendable {
    private let token = Mutex<CancellationToken?>(nil)
    func set(_ value: CancellationToken?) { token.withLock { $0 = value } }
    var isCancelled: Bool { token.withLock { $0?.isCancelled ?? false } }
}
