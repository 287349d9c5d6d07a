import Foundation
import OmniAPI
import OmniTestSupport
import Testing

@testable import OmniConversion

/// Checkpoints that are spoilt: one error that names the file, and nothing written.
@Suite struct DamageTests {
    /// The error of a conversion, after making sure that nothing was left.
    private func error(_ folder: TemporaryFolder) throws -> ConversionError {
        let target = try TemporaryFolder()
        let error = try #require(throws: ConversionError.self) {
            try Fixture.conversion(folder.url.path).run(to: target.url.appending(path: "out.gguf").path)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: target.url.path) == [])
        return error
    }

    private func change(_ folder: TemporaryFolder, _ file: String, _ change: (inout JSONObject) throws -> Void) throws {
        let url = folder.url.appending(path: file)
        var object = try #require(try JSONValue.parse(Data(contentsOf: url)).objectValue)
        try change(&object)
        try folder.write(file, JSONValue.object(object).jsonText)
    }

    @Test("a shard that is not there") func missingShard() throws {
        let (folder, _) = try Fixture.checkpoint("qwen3")
        try FileManager.default.removeItem(at: folder.url.appending(path: "model-00002-of-00002.safetensors"))
        let error = try error(folder)
        #expect(error.fault == .missing && error.problem.contains("model-00002-of-00002.safetensors"))
    }

    @Test("a shard that is cut short") func cutShard() throws {
        let (folder, _) = try Fixture.checkpoint("qwen3")
        let shard = folder.url.appending(path: "model-00001-of-00002.safetensors")
        try folder.write(shard.lastPathComponent, Data(contentsOf: shard).dropLast(100))
        let error = try error(folder)
        #expect(error.fault == .damaged && error.path.hasSuffix(shard.lastPathComponent) && error.problem.contains("cut short"))
    }

    @Test("a shard whose header is no JSON") func brokenHeader() throws {
        let (folder, _) = try Fixture.checkpoint("llama3")
        var bytes = try Data(contentsOf: folder.url.appending(path: "model.safetensors"))
        bytes[9] = UInt8(ascii: "]")
        try folder.write("model.safetensors", bytes)
        #expect(try error(folder).fault == .damaged)
    }

    @Test("a tensor of whole numbers") func wrongType() throws {
        let (folder, _) = try Fixture.checkpoint("llama3")
        let file = folder.url.appending(path: "model.safetensors")
        var bytes = try Data(contentsOf: file)
        let place = try #require(bytes.range(of: Data(#""BF16""#.utf8)))
        bytes.replaceSubrange(place, with: Data(#""I16" "#.utf8))
        try folder.write("model.safetensors", bytes)
        let error = try error(folder)
        #expect(error.fault == .unsupported && error.problem.contains("i16"))
    }

    @Test("an index that names files outside", arguments: ["../model.safetensors", "/etc/passwd", ".hidden/x"]) func outside(name: String)
        throws
    {
        let (folder, _) = try Fixture.checkpoint("qwen3")
        try change(folder, "model.safetensors.index.json") { index in
            index["weight_map"] = .object(JSONObject([("lm_head.weight", .string(name))]))
        }
        let error = try error(folder)
        #expect(error.fault == .damaged && error.problem.contains("outside"))
    }

    @Test("a tensor that the index has and its shard has not") func lyingIndex() throws {
        let (folder, _) = try Fixture.checkpoint("qwen3")
        try change(folder, "model.safetensors.index.json") { index in
            var map = try #require(index["weight_map"]?.objectValue)
            map["lm_head.weight"] = "model-00002-of-00002.safetensors"
            map["model.norm.weight"] = "model-00001-of-00002.safetensors"
            index["weight_map"] = .object(map)
        }
        #expect(try error(folder).fault == .damaged)
    }

    @Test("a tokenizer without merges") func noMerges() throws {
        let (folder, _) = try Fixture.checkpoint("qwen2")
        try change(folder, "tokenizer.json") { file in
            var model = try #require(file["model"]?.objectValue)
            model["merges"] = []
            file["model"] = .object(model)
        }
        let error = try error(folder)
        #expect(error.path.hasSuffix("tokenizer.json") && error.problem.contains("no merges"))
    }

    @Test("no tokenizer") func noTokenizer() throws {
        let (folder, _) = try Fixture.checkpoint("qwen2")
        try FileManager.default.removeItem(at: folder.url.appending(path: "tokenizer.json"))
        #expect(try error(folder).fault == .missing)
    }

    @Test("weights as pickles alone") func pickles() throws {
        let (folder, _) = try Fixture.checkpoint("llama3")
        try FileManager.default.moveItem(
            at: folder.url.appending(path: "model.safetensors"), to: folder.url.appending(path: "pytorch_model.bin"))
        #expect(Checkpoint.isOne(folder.url.path))
        #expect(try error(folder).problem.contains("pickles"))
    }

    @Test("an architecture that nobody knows says which are known") func unknownArchitecture() throws {
        let (folder, _) = try Fixture.checkpoint("llama3")
        try change(folder, "config.json") { $0["architectures"] = ["MambaForCausalLM"] }
        let error = try error(folder)
        #expect(
            error.fault == .unsupported && error.description.contains("MambaForCausalLM") && error.description.contains("Qwen3ForCausalLM"))
    }

    @Test(
        "a network that would be computed differently",
        arguments: [
            ("llama3", "hidden_act", JSONValue.string("relu")), ("llama3", "rope_scaling", ["rope_type": "dynamic", "factor": 2.0]),
            ("qwen2", "use_sliding_window", true), ("gemma3", "sliding_window_pattern", 3), ("gemma3", "attn_logit_softcapping", 50.0),
            ("gemma3", "query_pre_attn_scalar", 99), ("smollm3", "no_rope_layers", [1, 0, 1, 1]), ("qwen3-moe", "norm_topk_prob", false),
            ("qwen3-moe", "mlp_only_layers", [0]), ("bert", "position_embedding_type", "relative_key"),
            ("llama3", "quantization_config", ["quant_method": "awq"]),
        ] as [(String, String, JSONValue)]) func unsupported(name: String, key: String, value: JSONValue) throws
    {
        let (folder, _) = try Fixture.checkpoint(name)
        try change(folder, "config.json") { $0[key] = value }
        #expect(try error(folder).fault == .unsupported)
    }

    @Test("a layer too many, a layer too few, a head that is missing") func layers() throws {
        for count in [1, 3] {
            let (folder, _) = try Fixture.checkpoint("llama3")
            try change(folder, "config.json") { $0["num_hidden_layers"] = .int(count) }
            #expect(try error(folder).fault == (count == 1 ? .unsupported : .damaged))
        }
        let (folder, _) = try Fixture.checkpoint("llama3")
        try change(folder, "config.json") { $0["tie_word_embeddings"] = false }
        #expect(try error(folder).problem.contains("lm_head.weight"))
    }

    @Test("more tokens than rows, and ids beyond the vocabulary") func tokens() throws {
        for (size, file) in [(1000, "token"), (100, "tokenizer.json")] {
            let (folder, _) = try Fixture.checkpoint("llama3")
            try change(folder, "config.json") { $0["vocab_size"] = .int(size) }
            #expect(try error(folder).fault == .damaged, "\(file)")
        }
    }
}
