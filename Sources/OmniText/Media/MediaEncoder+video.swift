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
        _ piece: MediaPiece, _ embeddings: UnsafeMutablePointer<Float>, into context: OpaquePointer, sequence: Int32, start: Int32,
        batch: Int,
        rows: Rows? = nil
    ) -> Int32 {
        let width = Int(llama_model_n_embd_inp(llama_get_model(context)))
        let positions = PiecePositions(piece, start: start, axes: mtmd_decode_use_mrope(handle) ? 4 : 1)
        for begin in stride(from: 0, to: piece.count, by: max(batch, 1)) {
            let count = min(batch, piece.count - begin)
            var places = positions.axes.flatMap { $0[begin..<begin + count] }
            var ones = [Int32](repeating: 1, count: count), none = [Int8](repeating: 0, count: count), own = sequence
            let status = places.withUnsafeMutableBufferPointer { places in
                ones.withUnsafeMutableBufferPointer { ones in
                    none.withUnsafeMutableBufferPointer { none in
                        withUnsafeMutablePointer(to: &own) { own in
                            var owners = [UnsafeMutablePointer<Int32>?](repeating: own, count: count)
                            return owners.withUnsafeMutableBufferPointer { owners in
                                llama_decode(
                                    context,
                                    llama_batch(
                                        n_tokens: Int32(count), token: nil, embd: embeddings + begin * width, pos: places.baseAddress,
                                        n_seq_id: ones.baseAddress, seq_id: owners.baseAddress, logits: none.baseAddress))
                            }
                        }
                    }
                }
            }
            guard status == 0 else { return status }
            rows?.take(count) { index in
                let axes = positions.axes.map { $0[begin + index] }
                return axes.count > 3 ? RotaryPlace(time: axes[0], height: axes[1], width: axes[2], other: axes[3]) : RotaryPlace(axes[0])
            }
        }
        return 0
    }
}
