import CLlama
import OmniAPI

/// The matrices of a low-rank adapter in memory. Made, used and freed by the one thread that computes with the model: libllama keeps a
/// list of a model's adapters, which its contexts read.
package final class LowRankAdapter {
    fileprivate let handle: OpaquePointer
    private let model: LlamaModel

    /// Reads a GGUF whole. Blocks; throws ``APIError`` naming the file.
    package init(path: String, model: LlamaModel) throws {
        LlamaLog.clearErrors()
        guard let handle = llama_adapter_lora_init(model.handle, path) else {
            let reason = LlamaLog.firstError.map { " llama.cpp says: \($0)" } ?? ""
            throw APIError(.internalError, "The adapter \(path) cannot be loaded.\(reason)", remedy: "Fetch it again.")
        }
        self.handle = handle
        self.model = model
    }

    deinit { llama_adapter_lora_free(handle) }
}

extension LlamaContext {
    /// From the next batch on `adapter` changes the model's weights; nil leaves them as they are.
    package func use(_ adapter: LowRankAdapter?) {
        var handles = [adapter?.handle], scales: [Float] = [1]
        _ = llama_set_adapters_lora(handle, &handles, adapter == nil ? 0 : 1, &scales)
    }
}
