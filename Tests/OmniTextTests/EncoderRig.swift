import CLlama
import Foundation
import Logging
import OmniAPI
import OmniConversion
import OmniEngine
import OmniLlama
import OmniTestSupport
import Testing

@testable import OmniText

/// A checkpoint with encoders, converted to f32 and run with exact attention through the steps of the engine.
final class EncoderRig {
    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")

    private let folder: TemporaryFolder
    private let model: LlamaModel
    let encoder: MediaEncoder

    /// `source` is a folder in the fixtures.
    init(_ source: String) throws {
        folder = try TemporaryFolder()
        let (path, encoders) = (folder.url.appending(path: "m.gguf").path, folder.url.appending(path: "e.gguf").path)
        let logger = Logger(label: "test")
        try Conversion(
            folder: Self.fixtures.appending(path: source).path, quantization: Quantization(named: "f32"), threads: 2, logger: logger
        ).run(to: path, encoders: encoders)
        LlamaLog.start(logger: logger)
        model = try LlamaModel(path: path) { _ in }
        encoder = try MediaEncoder(path: encoders, model: model, threads: 2, abortHandle: AbortHandle(lane: FreeLane()), isExact: true)
    }

    static func golden(_ path: String) throws -> JSONValue { try JSONValue.parse(Data(contentsOf: fixtures.appending(path: path))) }

    /// The prompt of a case, its texts as they are and its media in their places; a video is six frames, two for each second.
    func prompt(_ parts: [JSONValue]) throws -> Prompt {
        var text = "", media: [MediaInput] = [], videos: [[MediaPiece]?] = []
        for part in parts {
            text += part.stringValue ?? encoder.marker
            if let name = part["image"]?.stringValue { media.append(try input("\(name).png")) }
            if let name = part["audio"]?.stringValue { media.append(try input("\(name).flac")) }
            if part["video"] != nil {
                media.append(try input("even.png"))
                var frames = try (0..<6).map { try frame($0) }[...]
                videos.append(try encoder.pieces(try #require(encoder.clock), rate: 2) { frames.popFirst() })
            } else if part.stringValue == nil {
                videos.append(nil)
            }
        }
        return try encoder.tokenize(text, media: media, videos: videos)
    }

    private func input(_ name: String) throws -> MediaInput {
        let bytes = [UInt8](try Data(contentsOf: Self.fixtures.appending(path: "omni/thinker/\(name)")))
        return try name.hasSuffix(".png")
            ? MediaInput(picture: bytes, encoder: encoder, limits: MediaLimits())
            : MediaInput(sound: bytes, encoder: encoder, limits: MediaLimits())
    }

    private func frame(_ number: Int) throws -> OpaquePointer {
        let picture = try input("frame\(number).png"), bitmap = picture.handle
        return try withExtendedLifetime(picture) {
            try #require(mtmd_bitmap_init(mtmd_bitmap_get_nx(bitmap), mtmd_bitmap_get_ny(bitmap), mtmd_bitmap_get_data(bitmap)))
        }
    }

    /// The logits of the text behind the last medium.
    func logits(_ prompt: Prompt) throws -> [[Float]] {
        let context = try #require(makeContext())
        defer { llama_free(context) }
        var place = 0, rows: [[Float]] = []
        while place < prompt.tokens.count {
            let position = prompt.position(of: place)
            if let span = prompt.mediaSpan(at: place) {
                for piece in span.pieces {
                    try #require(mtmd_encode_chunk(encoder.handle, piece.chunk.handle) == 0)
                    let embeddings = try #require(mtmd_get_output_embd(encoder.handle))
                    try #require(encoder.decode(piece, embeddings, into: context, sequence: 0, start: position, batch: 100) == 0)
                }
                place = span.places.upperBound
            } else {
                let count = prompt.textRun(from: place, end: prompt.tokens.count)
                rows = try read(Array(prompt.tokens[place..<place + count]), at: position, context)
                place += count
            }
        }
        return rows
    }

    /// The largest difference to the rows of a golden, which are named by their distance from the end, by the largest number.
    func difference(_ rows: [[Float]], _ golden: JSONValue) throws -> Float {
        var worst: Float = 0
        for (back, text) in try #require(golden["rows"]?.objectValue).members {
            let expected = try Self.floats(#require(text.stringValue)), found = rows[rows.count - (Int(back) ?? 0)]
            let scale = max(expected.map(abs).max() ?? 0, 1)
            worst = max(worst, (zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity) / scale)
        }
        return worst
    }

    private func read(_ tokens: [Int32], at position: Int32, _ context: OpaquePointer) throws -> [[Float]] {
        var batch = llama_batch_init(Int32(tokens.count), 0, 1)
        defer { llama_batch_free(batch) }
        for (place, token) in tokens.enumerated() {
            batch.token[place] = token
            batch.pos[place] = position + Int32(place)
            batch.n_seq_id[place] = 1
            batch.seq_id[place]?[0] = 0
            batch.logits[place] = 1
        }
        batch.n_tokens = Int32(tokens.count)
        try #require(llama_decode(context, batch) == 0)
        return try tokens.indices.map { place in
            Array(UnsafeBufferPointer(start: try #require(llama_get_logits_ith(context, Int32(place))), count: 640))
        }
    }

    private func makeContext() -> OpaquePointer? {
        var parameters = llama_context_default_params()
        (parameters.n_ctx, parameters.n_batch, parameters.n_ubatch) = (512, 512, 512)
        (parameters.n_threads, parameters.n_threads_batch) = (2, 2)
        (parameters.type_k, parameters.type_v) = (GGML_TYPE_F32, GGML_TYPE_F32)
        parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED
        return llama_init_from_model(model.handle, parameters)
    }

    private static func floats(_ base64: String) throws -> [Float] {
        let bytes = try #require(Base64.decode(base64))
        return stride(from: 0, to: bytes.count, by: 4).map { place in
            Float(bitPattern: bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) })
        }
    }
}
