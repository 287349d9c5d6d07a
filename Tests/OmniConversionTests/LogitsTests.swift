import CLlama
import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniLlama
import Testing

@testable import OmniConversion

/// What libllama computes with a converted checkpoint in f32, beside transformers.
@Suite(.serialized) struct LogitsTests {
    @Test("logits and vectors are those of transformers", arguments: Fixture.checkpoints) func logits(name: String) throws {
        let (keeper, path, golden) = try Fixture.converted(name, type: "f32")
        defer { withExtendedLifetime(keeper) {} }
        LlamaLog.start(logger: .init(label: "test"))
        try Self.compare(try LlamaModel(path: path) { _ in }, golden, name: name)
    }

    /// Computes what `golden` has the numbers of, and compares.
    static func compare(_ model: LlamaModel, _ golden: JSONValue, adapter: LowRankAdapter? = nil, name: String) throws {
        let ids = try #require(golden["ids"]?.arrayValue).compactMap { $0.intValue.map { Int32($0) } }
        let rows = try #require(golden["rows"]?.objectValue)
        let isClassifier = rows.keys == ["classes"], isVector = isClassifier || rows.keys == ["embedding"]
        let own = try context(model, vectors: isVector, classes: isClassifier), context = own.handle
        own.use(adapter)
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

    private static func context(_ model: LlamaModel, vectors: Bool, classes: Bool) throws -> LlamaContext {
        var shape = LlamaContext.Shape(cells: 64, sequences: 1, batch: 64, outputs: 64, threads: 2, embeddings: vectors)
        (shape.exactCache, shape.exactAttention, shape.classes) = (true, true, classes)
        return try LlamaContext(model: model, shape: shape, abortHandle: AbortHandle(lane: FreeLane()))
    }
}
