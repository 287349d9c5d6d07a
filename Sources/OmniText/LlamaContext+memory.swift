import CLlamaChat
import OmniEngine
import OmniLlama

extension LlamaContext {
    /// What the context and its model have set aside.
    var reservation: MemoryReservation {
        var (weights, cache, compute) = (0, 0, 0)
        guard omni_context_bytes(handle, &weights, &cache, &compute) else { return MemoryReservation() }
        return MemoryReservation(weights: weights, cache: cache, compute: compute)
    }
}
