import CLlama
import Foundation
import Logging
import OmniAPI
import OmniLlama
import Testing

@testable import OmniConversion

/// What libllama computes with a converted checkpoint in f32, beside transformers.
@Suite(.serialized) struct LogitsTests {
    @Test("logits and vectors are those of transformers", arguments: Fixture.checkpoints) func logits(name: String) throws {
        let (keeper, path, golden) = try Fixture.converted(name, type: "f32")
        defer { withExtendedLifetime(keeper) {} }
        LlamaLog.start(logger: .init(label: "test"))
        let model = try LlamaModel(path: path) { _ in }
        let ids = try #require(golden["ids"]?.arrayValue).compactMap { $0.intValue.map { Int32($0) } }
        let rows = try #require(golden["rows"]?.objectValue)
        let isClassifier = rows.keys == ["classes"], isVector = isClassifier || rows.keys == ["embedding"]
        let context = try #require(Self.context(model, vectors: isVector, classes: isClassifier))
        defer { llama_free(context) }
        var tokens = ids
        var batch = llama_batch_init(Int32(ids.count), 0, 1)
        defer { llama_batch_free(batch) }
        for (place, id) in tokens.enumerated() {
            batch.token[place] = id
            batch.pos[place] = Int32(place)
            batch.n_seq_id[place] = 1
            batch.seq_id[place]?[0] = 0
            batch.logits[place] = 1
        }
        batch.n_tokens = Int32(tokens.count)
        #expect((isVector && !model.hasDecoder ? llama_encode(context, batch) : llama_decode(context, batch)) == 0)
        tokens.removeAll()
        for (place, text) in rows.members {
            let expected = try Self.floats(#require(text.stringValue))
            let start = try #require(isVector ? llama_get_embeddings_seq(context, 0) : llama_get_logits_ith(context, Int32(place) ?? 0))
            var found = Array(UnsafeBufferPointer(start: start, count: expected.count))
            if isVector, !isClassifier {
                let length = found.reduce(0) { $0 + $1 * $1 }.squareRoot()
                found = found.map { $0 / length }
            }
            let scale = max(expected.map(abs).max() ?? 0, 1)
            let worst = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst <= 1e-3 * scale, "\(name), row \(place): \(worst) of \(scale)")
        }
    }

    private static func floats(_ base64: String) throws -> [Float] {
        let bytes = try #require(Base64.decode(base64))
        return stride(from: 0, to: bytes.count, by: 4).map { place in
            Float(bitPattern: bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) })
        }
    }

    private static func context(_ model: LlamaModel, vectors: Bool, classes: Bool) -> OpaquePointer? {
        var parameters = llama_context_default_params()
        (parameters.n_ctx, parameters.n_batch, parameters.n_ubatch) = (64, 64, 64)
        (parameters.n_threads, parameters.n_threads_batch) = (2, 2)
        (parameters.type_k, parameters.type_v) = (GGML_TYPE_F32, GGML_TYPE_F32)
        parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.embeddings = vectors
        if classes { parameters.pooling_type = LLAMA_POOLING_TYPE_RANK }
        return llama_init_from_model(model.handle, parameters)
    }
}
