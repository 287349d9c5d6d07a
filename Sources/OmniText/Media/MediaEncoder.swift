import CLlama
import OmniAPI
import OmniEngine
import OmniLlama

/// Encoders of pictures, sound and video: libmtmd over the projector that belongs to it.
///
/// Unchecked: the handle is written once in `init`; libmtmd cuts media into chunks from any thread, and only the engine's
/// thread encodes.
class MediaEncoder: @unchecked Sendable {
    let handle: OpaquePointer
    /// Stands for a medium in a rendered prompt. Random, so that no user can write it.
    let marker: String
    /// Nil where libmtmd makes a video's prompt.
    let clock: VideoClock?
    /// Kept alive: the projector refers to it.
    private let model: LlamaModel
    private let abortHandle: AbortHandle

    /// Loads the projector at `path`. Throws ``APIError`` when it is damaged or belongs to another model. `isExact`: attention in f32,
    /// which takes memory for every pair of patches.
    required init(path: String, model: LlamaModel, threads: Int, abortHandle: AbortHandle, isExact: Bool = false) throws {
        LlamaLog.clearErrors()
        let marker = "<__medium_\(UInt64.random(in: .min ... .max))__>"
        let handle = marker.withCString { marker in
            var parameters = mtmd_context_params_default()
            parameters.n_threads = Int32(clamping: threads)
            parameters.print_timings = false
            parameters.warmup = false
            if isExact { parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED }
            parameters.media_marker = marker
            parameters.cb_eval = AbortHandle.watch
            parameters.cb_eval_user_data = abortHandle.pointer
            return mtmd_init_from_file(path, model.handle, parameters)
        }
        guard let handle else {
            let reason = LlamaLog.firstError.map { " llama.cpp says: \($0)" } ?? ""
            throw APIError(
                .internalError, "The projector \(path) cannot be used with \(model.path).\(reason)",
                remedy: "Use the mmproj file that was published with the model.")
        }
        self.handle = handle
        self.marker = marker
        clock = VideoClock(mmproj: path)
        self.model = model
        self.abortHandle = abortHandle
    }

    deinit { mtmd_free(handle) }

    var supportsVision: Bool { mtmd_support_vision(handle) }
    var supportsAudio: Bool { mtmd_support_audio(handle) }
    var supportsVideo: Bool { supportsVision && (clock != nil || mtmd_helper_support_video(handle)) }

    /// Names of the content parts that the model takes besides text.
    var inputParts: [String] {
        (supportsVision ? ["image_url"] : []) + (supportsAudio ? ["input_audio", "audio_url"] : []) + (supportsVideo ? ["video_url"] : [])
    }

    /// Cuts a rendered prompt and its media into what the model reads. Blocks: pictures are scaled and sounds turned into
    /// spectra here. Throws ``APIError``.
    func tokenize(_ text: String, media: [MediaInput]) throws -> Prompt {
        try tokenize(
            text, media: media,
            videos: media.map { medium in
                try clock.flatMap { clock in try medium.frames.map { try pieces(clock, rate: $0.rate, next: $0.next) } }
            })
    }

    /// `videos`: for each medium its pieces where it is a video, which is one medium to the prompt: what stands for it is replaced.
    func tokenize(_ text: String, media: [MediaInput], videos: [[MediaPiece]?]) throws -> Prompt {
        guard let chunks = mtmd_input_chunks_init() else { throw APIError(.internalError, "There is no memory for the media.") }
        defer { mtmd_input_chunks_free(chunks) }
        var bitmaps: [OpaquePointer?] = media.map(\.handle)
        let count = text.utf8.count
        let status = text.withCString { characters in
            var input = mtmd_input_text(text: characters, text_len: count, add_special: true, parse_special: true)
            return mtmd_tokenize(handle, chunks, &input, &bitmaps, bitmaps.count)
        }
        guard status == 0 else {
            throw APIError.invalid(
                "body.messages",
                status == 1
                    ? "The model's chat template does not place the conversation's media."
                    : "A picture or sound cannot be prepared for this model.")
        }
        var prompt = Prompt(), pending = zip(media, videos).map { $1 ?? [] }[...]
        for index in 0..<mtmd_input_chunks_size(chunks) {
            guard let chunk = mtmd_input_chunks_get(chunks, index) else { continue }
            let isSound = mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_AUDIO
            let follows =
                isSound && index > 0
                && mtmd_input_chunks_get(chunks, index - 1).map(mtmd_input_chunk_get_type) == MTMD_INPUT_CHUNK_TYPE_AUDIO
            let isMedium = mtmd_input_chunk_get_type(chunk) != MTMD_INPUT_CHUNK_TYPE_TEXT && !follows
            let video = isMedium && clock != nil ? pending.popFirst() ?? [] : []
            if video.isEmpty { append(chunk, to: &prompt) } else { append(chunk, video, to: &prompt) }
        }
        // Nothing can be sampled from a medium's own places.
        if prompt.media.last?.places.upperBound == prompt.tokens.count, let vocabulary = Vocabulary(of: model) {
            prompt.tokens += vocabulary.tokenize("\n", addSpecial: false, special: false)
        }
        return prompt
    }

    private func append(_ chunk: OpaquePointer, to prompt: inout Prompt) {
        if mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT {
            var count = 0
            guard let tokens = mtmd_input_chunk_get_tokens_text(chunk, &count) else { return }
            prompt.tokens += UnsafeBufferPointer(start: tokens, count: count)
            return
        }
        guard let copy = mtmd_input_chunk_copy(chunk) else { return }
        let piece = MediaPiece(chunk: MediaChunk(adopting: copy), count: mtmd_input_chunk_get_n_tokens(chunk))
        append(chunk, [piece], positions: Int(mtmd_input_chunk_get_n_pos(chunk)), to: &prompt)
    }

    /// `positions`: nil for what they extend to.
    private func append(_ chunk: OpaquePointer, _ pieces: [MediaPiece], positions: Int? = nil, to prompt: inout Prompt) {
        let count = pieces.reduce(0) { $0 + $1.count }, begin = prompt.tokens.count
        let digest = MediaDigest(mtmd_input_chunk_get_id(chunk).map { String(cString: $0) }, part: prompt.media.count)
        prompt.tokens += (0..<count).map(digest.token)
        let extent = positions ?? pieces.map { PiecePositions($0, start: 0, axes: 4).extent(from: 0) }.max() ?? 0
        prompt.media.append(MediaSpan(places: begin..<begin + count, positions: extent, pieces: pieces))
    }

    enum Outcome {
        case done
        case aborted
        /// No room in the KV cache.
        case full
        case failed
    }

    /// Gets the rows of a medium batch by batch, while libllama has what it made of them: their number, and the place of each.
    final class Rows {
        let take: (Int, (Int) -> RotaryPlace) -> Void
        init(take: @escaping (Int, (Int) -> RotaryPlace) -> Void) { self.take = take }

        /// libmtmd's callback after each batch.
        static let callback: mtmd_helper_post_decode_callback = { batch, data in
            guard let batch = batch?.pointee, let data, let positions = batch.pos else { return 0 }
            let count = Int(batch.n_tokens)
            Unmanaged<Rows>.fromOpaque(data).takeUnretainedValue().take(count) { index in
                func axis(_ number: Int) -> Int32 { number < Int(batch.n_pos) ? positions[number * count + index] : 0 }
                guard batch.n_pos > 1 else { return RotaryPlace(axis(0)) }
                return RotaryPlace(time: axis(0), height: axis(1), width: axis(2), other: axis(3))
            }
            return 0
        }
    }

    /// Computes a chunk's embeddings and puts them into the cache of `sequence` from `position` on. Engine's thread only.
    func compute(
        _ span: MediaSpan, into context: LlamaContext, sequence: Int, position: Int32, batch: Int, rows: Rows? = nil,
        for owner: [CancellationToken]
    ) -> Outcome {
        for piece in span.pieces {
            let encoded = abortHandle.run(for: owner, slicing: true) { mtmd_encode_chunk(handle, piece.chunk.handle) }
            if abortHandle.wasAborted || abortHandle.shouldAbort(for: owner) { return .aborted }
            guard encoded == 0, let embeddings = mtmd_get_output_embd(handle) else { return .failed }
            var next: llama_pos = 0
            let decoded = abortHandle.run(for: owner, slicing: true) {
                if clock != nil {
                    return decode(
                        piece, embeddings, into: context.handle, sequence: sequence, start: position, batch: batch, rows: rows)
                }
                return withExtendedLifetime(rows) {
                    mtmd_helper_decode_image_chunk(
                        handle, context.handle, piece.chunk.handle, embeddings, position, Int32(sequence), Int32(clamping: batch), &next,
                        rows == nil ? nil : Rows.callback, rows.map { Unmanaged.passUnretained($0).toOpaque() })
                }
            }
            if abortHandle.wasAborted || abortHandle.shouldAbort(for: owner) { return .aborted }
            guard decoded == 0 else { return decoded == 1 ? .full : .failed }
        }
        return .done
    }
}

/// The numbers that stand for a medium in a prompt's tokens: a hash of its content, spread over its places, so that equal
/// media compare equal and others do not.
struct MediaDigest {
    private let words: [UInt32]

    /// `id` is the hexadecimal SHA-256 of the file; a medium without one equals no other. `part` tells the pieces of one
    /// medium apart.
    init(_ id: String?, part: Int) {
        var digits = Substring(id ?? "")
        var words: [UInt32] = []
        while digits.count >= 8, let word = UInt32(digits.prefix(8), radix: 16) {
            words.append(word ^ UInt32(truncatingIfNeeded: part &* 0x9E37_79B9))
            digits = digits.dropFirst(8)
        }
        self.words = words.isEmpty ? (0..<8).map { _ in .random(in: .min ... .max) } : words
    }

    func token(_ place: Int) -> Token { -1 - Token(words[place % words.count] >> 1) }
}

extension BatchLoop {
    /// Encodes one medium that a prompt has come to. False when none is due. Every other step belongs to the text of
    /// the others.
    func encodeMedia() -> Bool {
        mediaHadTheirTurn.toggle()
        guard let encoder, mediaHadTheirTurn || !active.contains(where: { $0.pending == 1 }) else { return false }
        guard let sequence = active.first(where: { $0.prompt.mediaSpan(at: $0.evaluated) != nil }), let slot = sequence.slot,
            let span = sequence.prompt.mediaSpan(at: sequence.evaluated)
        else { return false }
        let position = sequence.prompt.position(of: sequence.evaluated)
        let rows = mediaFeed(of: sequence, from: span.places.lowerBound)
        keepStates(rows != nil)
        switch encoder.compute(
            span, into: context, sequence: slot, position: position, batch: batch.capacity, rows: rows,
            for: [sequence.group.request.scope.cancellation]
        ) {
        case .done: sequence.evaluated = span.places.upperBound
        case .aborted: end(sequence, throwing: CancellationError(), keepsCache: false)
        case .full where table.oldestIdle() != nil || running.count > 1:
            _ = context.truncate(slot, from: position)
            makeRoom()
        case .full, .failed:
            // Its own fault: others keep their places and what is cached.
            end(sequence, throwing: APIError(.internalError, "The model failed to read a picture or a sound."), keepsCache: false)
        }
        return true
    }
}
