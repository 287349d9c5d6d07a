import OmniDevices
import OmniEngine

/// Which devices a worker computes on: it holds the lane of each while it does, so that models on different devices run side by side.
struct WorkerDevices: Sendable, Equatable {
    /// GPUs, in an order that all workers share.
    let gpus: [ComputeDevice]
    /// Whether the CPU has a share of the work.
    let usesCPU: Bool

    /// Names of lanes, in an order that all workers share.
    var lanes: [String] { (usesCPU ? ["cpu"] : []) + gpus.map { $0.name.lowercased() } }

    /// - Parameter usesLibllama: a language model, from a GGUF or a checkpoint that becomes one, or a voice as a GGUF.
    /// - Throws: `UnknownDevice` where `--device` names none.
    init(kind: ModelKind?, usesLibllama: Bool, flags: EngineFlags) throws {
        // sherpa-onnx computes on the CPU, and llama.cpp spreads a model over all GPUs where none is named.
        let (named, all) = (try flags.devices.map(ComputeDevice.named), ComputeDevice.all)
        let first = ComputeDevice.preferredGPU
        let own = !named.isEmpty ? named : usesLibllama ? all.filter { $0.kind == first?.kind } : first.map { [$0] } ?? []
        let computes = (usesLibllama || kind == .image || kind == .video) && flags.gpuLayers != 0
        self.init(gpus: computes ? own.filter(\.isGPU) : [], gpuLayers: flags.gpuLayers)
    }

    init(gpus: [ComputeDevice], gpuLayers: Int?) {
        self.gpus = Set(gpus).sorted { $0.name < $1.name }
        // Layers that are left to the CPU keep its cores busy, too.
        usesCPU = gpus.isEmpty || gpuLayers != nil
    }

    /// Memory of these devices, for `/metrics`.
    func report(to registry: MetricsRegistry, modelName: String) {
        for device in gpus.isEmpty ? ComputeDevice.all.filter({ $0.kind == .cpu }) : gpus {
            let (free, total) = device.budget
            for (state, bytes) in [("free", free), ("total", total)] {
                registry.set(Self.memory, Double(bytes), labels: ["model_name": modelName, "device": device.name, "state": state])
            }
        }
    }

    private static let memory = MetricsRegistry.Family.gauge("omni:device_memory_bytes", "Memory of the device that a model computes on.")
}
