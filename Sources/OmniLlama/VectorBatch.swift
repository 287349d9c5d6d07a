import CLlama

/// Vectors for one decode in the place of tokens, of any number of sequences.
package final class VectorBatch {
    package private(set) var raw: llama_batch
    private let width: Int

    /// Room for `capacity` vectors of `width` numbers.
    package init(capacity: Int, width: Int) {
        self.width = width
        raw = llama_batch_init(Int32(clamping: capacity), Int32(clamping: width), 1)
    }

    deinit { llama_batch_free(raw) }

    package func clear() { raw.n_tokens = 0 }

    /// The caller has made sure that there is room, and that `vector` is as wide as the batch.
    package func add(_ vector: [Float], position: Int32, sequence: Int) {
        let index = Int(raw.n_tokens)
        for (place, value) in vector.prefix(width).enumerated() { raw.embd[index * width + place] = value }
        raw.pos[index] = position
        raw.n_seq_id[index] = 1
        raw.seq_id[index]?.pointee = Int32(sequence)
        raw.logits[index] = 1
        raw.n_tokens += 1
    }
}
