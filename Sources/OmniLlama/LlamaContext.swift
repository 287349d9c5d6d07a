import CLlama
import OmniAPI
import OmniEngine

/// A model's working memory: keys, values, logits. Used by one thread only, the one that made it.
package final class LlamaContext {
    package enum Outcome: Equatable {
        case done
        /// No room for the batch in the KV cache; nothing was changed.
        case full
        /// Stopped by the abort callback or by a fault; what was computed before is still there.
        case aborted
        case failed(Int32)
    }

    package struct Shape {
        /// KV cells over all sequences.
        package var cells: Int
        package var sequences: Int
        package var batch: Int
        /// Rows of logits that one batch may ask for.
        package var outputs: Int
        package var threads: Int
        /// One set of cells for all sequences.
        package var unified: Bool
        /// Every entry of a batch gives its hidden state too.
        package var embeddings: Bool
        /// A sequence's states become the numbers of its classes, whatever way of pooling the file names.
        package var classes = false
        /// Attention in f32 throughout, which needs memory for every pair of tokens; libllama's flash attention rounds keys and values to
        /// f16 where there is no cache.
        package var exactAttention = false
        /// Keys and values in f32, and not in f16.
        package var exactCache = false

        package init(cells: Int, sequences: Int, batch: Int, outputs: Int, threads: Int, unified: Bool = true, embeddings: Bool = false) {
            self.cells = cells
            self.sequences = sequences
            self.batch = batch
            self.outputs = outputs
            self.threads = threads
            self.unified = unified
            self.embeddings = embeddings
        }
    }

    package let handle: OpaquePointer
    package let model: LlamaModel
    /// All sequences share one set of cells.
    package let isUnified: Bool
    private let memory: OpaquePointer?
    private let abortHandle: AbortHandle

    /// Throws ``APIError`` when the memory is not to be had.
    package init(model: LlamaModel, shape: Shape, abortHandle: AbortHandle) throws {
        LlamaLog.clearErrors()
        var parameters = llama_context_default_params()
        parameters.n_ctx = UInt32(clamping: shape.cells)
        parameters.n_batch = UInt32(clamping: shape.batch)
        parameters.n_ubatch = UInt32(clamping: shape.batch)
        parameters.n_seq_max = UInt32(clamping: shape.sequences)
        parameters.n_outputs_max = UInt32(clamping: shape.outputs)
        parameters.n_outputs_max_per_seq = UInt32(clamping: shape.outputs)
        parameters.n_threads = Int32(clamping: shape.threads)
        parameters.n_threads_batch = Int32(clamping: shape.threads)
        parameters.kv_unified = shape.unified
        parameters.embeddings = shape.embeddings
        if shape.exactCache { (parameters.type_k, parameters.type_v) = (GGML_TYPE_F32, GGML_TYPE_F32) }
        if shape.exactAttention { parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED }
        if shape.classes { parameters.pooling_type = LLAMA_POOLING_TYPE_RANK }
        parameters.no_perf = true
        parameters.abort_callback = { data in
            guard let data else { return false }
            return Unmanaged<AbortHandle>.fromOpaque(data).takeUnretainedValue().shouldAbort()
        }
        parameters.abort_callback_data = abortHandle.pointer
        parameters.cb_eval = AbortHandle.watch
        parameters.cb_eval_user_data = abortHandle.pointer
        guard let handle = llama_init_from_model(model.handle, parameters) else {
            let reason = LlamaLog.firstError.map { " llama.cpp says: \($0)" } ?? ""
            throw APIError(
                .insufficientStorage, "There is no memory for a context of \(shape.cells) tokens.\(reason)",
                remedy: "Lower --max-model-len or --max-num-seqs.")
        }
        self.handle = handle
        self.model = model
        self.abortHandle = abortHandle
        isUnified = shape.unified
        memory = llama_get_memory(handle)
    }

    deinit { llama_free(handle) }

    package var cells: Int { Int(llama_n_ctx(handle)) }
    package var cellsPerSequence: Int { Int(llama_n_ctx_seq(handle)) }

    package func decode(_ batch: TokenBatch) -> Outcome { decode(batch.raw) }

    private func decode(_ batch: llama_batch) -> Outcome {
        let status = llama_decode(handle, batch)
        // The outputs are read by the CPU next.
        llama_synchronize(handle)
        return switch status {
        case 0: .done
        case 1: .full
        case 2: .aborted
        default: .failed(status)
        }
    }

    /// The same with vectors in the place of tokens.
    package func decode(_ batch: VectorBatch) -> Outcome { decode(batch.raw) }

    /// Reads a batch for its embeddings: models without a KV cache encode, the others decode.
    package func embed(_ batch: TokenBatch) -> Outcome {
        guard memory == nil || (model.hasEncoder && !model.hasDecoder) else { return decode(batch) }
        return encode(batch.raw)
    }

    /// The same with vectors in the place of tokens; for models without a KV cache.
    package func embed(_ batch: VectorBatch) -> Outcome { encode(batch.raw) }

    private func encode(_ batch: llama_batch) -> Outcome {
        let status = llama_encode(handle, batch)
        llama_synchronize(handle)
        return status == 0 ? .done : .failed(status)
    }

    /// The logits of the batch entry at `index`, valid until the next decode; nil when it asked for none.
    package func logits(at index: Int) -> UnsafeMutablePointer<Float>? { llama_get_logits_ith(handle, Int32(index)) }

    package func embedding(ofSequence sequence: Int) -> UnsafeMutablePointer<Float>? { llama_get_embeddings_seq(handle, Int32(sequence)) }
    package func embedding(at index: Int) -> UnsafeMutablePointer<Float>? { llama_get_embeddings_ith(handle, Int32(index)) }

    // MARK: KV cache

    /// The position after the last one that `sequence` holds.
    package func nextPosition(of sequence: Int) -> Int32 { memory.map { llama_memory_seq_pos_max($0, Int32(sequence)) + 1 } ?? 0 }

    /// Forgets everything from `position` on. False when this memory can only be cleared whole.
    package func truncate(_ sequence: Int, from position: Int32) -> Bool {
        memory.map { llama_memory_seq_rm($0, Int32(sequence), position, -1) } ?? true
    }

    package func clear(_ sequence: Int) {
        if let memory { _ = llama_memory_seq_rm(memory, Int32(sequence), -1, -1) }
    }

    /// Shares the cells of `source` with `target`; with a split cache they are copied, which only works whole.
    package func share(_ source: Int, with target: Int, upTo position: Int32) {
        guard let memory else { return }
        llama_memory_seq_cp(memory, Int32(source), Int32(target), -1, isUnified ? position : -1)
        if !isUnified { _ = truncate(target, from: position) }
    }

    /// Moves all that `source` holds to `target`, which forgets its own.
    package func move(_ source: Int, to target: Int) {
        clear(target)
        if let memory { llama_memory_seq_cp(memory, Int32(source), Int32(target), -1, -1) }
        clear(source)
    }

    package func clearAll() {
        if let memory { llama_memory_clear(memory, false) }
    }
}

/// Tokens for one decode, of any number of sequences.
package final class TokenBatch {
    package private(set) var raw: llama_batch
    package let capacity: Int

    package init(capacity: Int) {
        self.capacity = capacity
        raw = llama_batch_init(Int32(clamping: capacity), 0, 1)
    }

    deinit { llama_batch_free(raw) }

    package var count: Int { Int(raw.n_tokens) }
    package var room: Int { capacity - count }

    package func clear() { raw.n_tokens = 0 }

    /// Returns the entry's index. The caller has made sure that there is room.
    @discardableResult
    package func add(_ token: Token, position: Int32, sequence: Int, output: Bool) -> Int {
        let index = count
        raw.token[index] = token
        raw.pos[index] = position
        raw.n_seq_id[index] = 1
        raw.seq_id[index]?.pointee = Int32(sequence)
        raw.logits[index] = output ? 1 : 0
        raw.n_tokens += 1
        return index
    }
}
