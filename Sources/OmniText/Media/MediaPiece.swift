import CLlama
import OmniLlama

/// What an encoder takes at once: a picture, two seconds of a sound, or two frames of a video.
struct MediaPiece: Sendable {
    let chunk: MediaChunk
    /// Embeddings that it becomes.
    let count: Int
    /// Positions from the medium's beginning to this piece's time.
    var delay: Int32 = 0
}

/// Where the embeddings of a piece stand in the model's context, axis by axis: time, height, width and a fourth one for models with
/// rotary positions of several axes, else one.
struct PiecePositions {
    /// For each axis `count` positions.
    let axes: [[Int32]]

    /// `start` is the position of the medium that `piece` belongs to.
    init(_ piece: MediaPiece, start: Int32, axes count: Int) {
        guard count > 1 else {
            axes = [(0..<Int32(piece.count)).map { start + piece.delay + $0 }]
            return
        }
        guard mtmd_input_chunk_get_type(piece.chunk.handle) == MTMD_INPUT_CHUNK_TYPE_IMAGE,
            let image = mtmd_input_chunk_get_tokens_image(piece.chunk.handle)
        else {
            let line = (0..<Int32(piece.count)).map { start + piece.delay + $0 }
            axes = [line, line, line, [Int32](repeating: 0, count: piece.count)]
            return
        }
        let places = [mtmd_decoder_pos](unsafeUninitializedCapacity: piece.count) { buffer, filled in
            mtmd_helper_image_get_decoder_pos(image, start, buffer.baseAddress)
            filled = piece.count
        }
        axes = [
            places.map { Int32(bitPattern: $0.t) + piece.delay }, places.map { Int32(bitPattern: $0.y) },
            places.map { Int32(bitPattern: $0.x) }, places.map { Int32(bitPattern: $0.z) },
        ]
    }

    func place(of index: Int) -> RotaryPlace {
        guard axes.count > 3 else { return RotaryPlace(axes[0][index]) }
        return RotaryPlace(time: axes[0][index], height: axes[1][index], width: axes[2][index], other: axes[3][index])
    }

    /// Positions that they take: up to the largest of any axis.
    func extent(from start: Int32) -> Int { Int((axes.prefix(3).compactMap { $0.max() }.max() ?? start - 1) - start) + 1 }
}
