import CLlama
import OmniAPI
import OmniDevices

/// Where a model's layers lie and are computed, in llama.cpp's words.
package struct ModelPlacement: Sendable, Equatable {
    /// Layers on a GPU; -1 puts all there.
    package var gpuLayers: Int
    /// Names of devices; none takes every GPU that there is.
    package var devices: [String]
    /// Shares of the layers for the devices, in their order; none splits by free memory.
    package var tensorSplit: [Float]

    package init(gpuLayers: Int = -1, devices: [String] = [], tensorSplit: [Float] = []) {
        (self.gpuLayers, self.devices, self.tensorSplit) = (gpuLayers, devices, tensorSplit)
    }

    /// Calls `body` with what was asked for in `parameters`, whose lists live as long as the call.
    func apply<Result>(to parameters: inout llama_model_params, _ body: (llama_model_params) throws -> Result) throws -> Result {
        ComputeDevice.loadBackends()
        var parameters = parameters
        // A CPU that is named stands for no GPU at all.
        var handles: [OpaquePointer?]
        do {
            handles = try devices.map(ComputeDevice.named).filter { $0.kind != .cpu }.map(\.handle) + [nil]
        } catch let error as UnknownDevice {
            throw APIError(.invalidRequest, "--device: \(error).", remedy: "`omni serve --list-devices` lists them.")
        }
        let most = llama_max_devices()
        guard tensorSplit.count <= most else {
            throw APIError(.invalidRequest, "--tensor-split has \(tensorSplit.count) shares; llama.cpp takes at most \(most).")
        }
        var shares = tensorSplit + [Float](repeating: 0, count: most - tensorSplit.count)
        return try handles.withUnsafeMutableBufferPointer { handles in
            try shares.withUnsafeMutableBufferPointer { shares in
                if !devices.isEmpty { parameters.devices = handles.baseAddress }
                if !tensorSplit.isEmpty { parameters.tensor_split = UnsafePointer(shares.baseAddress) }
                return try body(parameters)
            }
        }
    }
}
