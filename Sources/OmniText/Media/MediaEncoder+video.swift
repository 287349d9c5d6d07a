import CLlama
import OmniAPI
import OmniEngine
import OmniLlama

extension MediaEncoder {
    /// The pieces of a video: its frames by twos, the last one doubled where it has no other. `next` gives frames, which are freed here.
    /// Throws ``APIError``.
    func pieces(_ clock: VideoClock, rate: Float, next: () throws -> OpaquePointer?) throws -> [MediaPiece] {
        var pieces: [MediaPiece] = []
        while let first = try next() {
            defer { mtmd_bitmap_free(first) }
            let second = try next()
            defer { if let second { mtmd_bitmap_free(second) } }
            guard let chunk = pair(first, second ?? first) else {
                throw APIError.invalid("body.messages", "A frame of the video cannot be prepared for this model.")
            }
            let count = mtmd_input_chunk_get_n_tokens(chunk.handle)
            pieces.append(MediaPiece(chunk: chunk, count: count, delay: clock.delay(of: pieces.count, rate: rate)))
        }
        guard !pieces.isEmpty else { throw APIError.invalid("body.messages", "The video has no frames that can be decoded.") }
        return pieces
    }

    /// Two frames that the encoder takes at once.
    private func pair(_ first: OpaquePointer, _ second: OpaquePointer) -> MediaChunk? {
        guard let chunks = mtmd_input_chunks_init() else { return nil }
        defer { mtmd_input_chunks_free(chunks) }
        for frame in [first, second] { mtmd_bitmap_set_mergeable(frame, true) }
        var frames: [OpaquePointer?] = [first, second]
        let text = marker + marker
        let status = text.withCString { characters in
            var input = mtmd_input_text(text: characters, text_len: text.utf8.count, add_special: false, parse_special: true)
            return mtmd_tokenize(handle, chunks, &input, &frames, frames.count)
        }
        let all = (0..<mtmd_input_chunks_size(chunks)).compactMap { mtmd_input_chunks_get(chunks, $0) }
        let pictures = all.filter { mtmd_input_chunk_get_type($0) == MTMD_INPUT_CHUNK_TYPE_IMAGE }
        guard status == 0, pictures.count == 1 else { return nil }
        return mtmd_input_chunk_copy(pictures[0]).map(MediaChunk.init(adopting:))
    }

    /// Computes a piece's embeddings and puts them into the cache of `sequence`, the medium's first position being `start`.
    func decode(
        _ piece: MediaPiece, _ embeddings: UnsafeMutablePointer<Float>, into context: OpaquePointer, sequence: Int, start: Int32,
        batch capacity: Int, rows: Rows? = nil
    ) -> Int32 {
        let width = Int(llama_model_n_embd_inp(llama_get_model(context)))
        let positions = PiecePositions(piece, start: start, axes: mtmd_decode_use_mrope(handle) ? 4 : 1)
        let batch = VectorBatch(capacity: max(min(capacity, piece.count), 1), width: width, axes: positions.axes.count)
        for begin in stride(from: 0, to: piece.count, by: batch.capacity) {
            batch.clear()
            for index in begin..<min(begin + batch.capacity, piece.count) {
                batch.add(embeddings + index * width, place: positions.place(of: index), sequence: sequence, output: false)
            }
            let status = llama_decode(context, batch.raw)
            guard status == 0 else { return status }
            rows?.take(batch.count) { positions.place(of: begin + $0) }
        }
        return 0
    }
}
