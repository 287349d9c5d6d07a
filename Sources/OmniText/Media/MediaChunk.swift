import CLlama

/// A medium cut into the model's embeddings, not encoded yet.
///
/// Unchecked: written once by the tokenizer that made it, read by the engine's thread, freed with its last owner.
final class MediaChunk: @unchecked Sendable {
    let handle: OpaquePointer

    /// Takes over `handle`.
    init(adopting handle: OpaquePointer) { self.handle = handle }

    deinit { mtmd_input_chunk_free(handle) }
}
