import CLlama
import Foundation
import Logging
import OmniAPI
import OmniLlama
import OmniTestSupport
import Testing

@testable import OmniConversion

/// Low-rank adapters that Tools/conversion/adapters.py made: the GGUF is that of convert_lora_to_gguf.py, and the logits are those of
/// transformers with peft.
@Suite(.serialized) struct AdapterTests {
    private static let names = ["llama3", "llama3-other", "qwen2", "qwen3"]
    private static let adapters = Fixture.folder.appending(path: "adapters")

    /// A checkpoint in f32 as a GGUF, with the golden of an adapter for it.
    private func base(of name: String) throws -> (keeper: TemporaryFolder, path: String, golden: JSONValue) {
        let golden = try Fixture.json("adapters/\(name)/golden.json")
        let (keeper, path, _) = try Fixture.converted(try #require(golden["base"]?.stringValue), type: "f32")
        return (keeper, path, golden)
    }

    /// A copy that a test may spoil.
    private func copy(of name: String) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            try FileManager.default.copyItem(
                at: Self.adapters.appending(path: "\(name)/\(file)"), to: folder.url.appending(path: file))
        }
        return folder
    }

    @Test("a folder of PEFT becomes the GGUF that llama.cpp's converter makes", arguments: names) func reference(name: String) throws {
        let (keeper, path, golden) = try base(of: name)
        let base = try AdapterBase(gguf: path)
        let adapter = try LanguageAdapter(path: Self.adapters.appending(path: name).path, base: base)
        let cache = ConversionCache(folder: keeper.url.appending(path: "made").path)
        let made = try cache.file(of: adapter, base: base, logger: .init(label: "test"))
        #expect(try cache.file(of: adapter, base: base, logger: .init(label: "test")) == made)
        let found = try #require(GGUFContents(path: made))
        let tensors = try #require(golden["tensors"]?.objectValue)
        #expect(Set(found.tensors.keys) == Set(tensors.members.map(\.key)))
        for (tensor, facts) in tensors.members { #expect(found.tensors[tensor] == facts, "\(tensor)") }
        // The converter knows nothing of rank-stabilized adapters.
        let keys = ["general.type", "general.architecture", "adapter.type"] + (name == "qwen2" ? [] : ["adapter.lora.alpha"])
        for key in keys { #expect(found.metadata[key] == golden["metadata"]?[key], "\(key)") }
    }

    @Test("logits are those of transformers with peft", arguments: names) func logits(name: String) throws {
        let (keeper, path, golden) = try base(of: name)
        let base = try AdapterBase(gguf: path)
        let folder = try LanguageAdapter(path: Self.adapters.appending(path: name).path, base: base)
        let cache = ConversionCache(folder: keeper.url.appending(path: "made").path)
        var files = [try cache.file(of: folder, base: base, logger: .init(label: "test"))]
        let gguf = Self.adapters.appending(path: "\(name).gguf").path
        if FileManager.default.fileExists(atPath: gguf) {
            files.append(try cache.file(of: LanguageAdapter(path: gguf, base: base), base: base, logger: .init(label: "test")))
        }
        let model = try LlamaModel(path: path) { _ in }
        for file in files {
            try LogitsTests.compare(model, golden, adapter: LowRankAdapter(path: file, model: model), name: name)
        }
    }

    @Test("the base may be a checkpoint that is not converted yet") func unconverted() throws {
        let (folder, _) = try Fixture.checkpoint("llama3")
        let base = try AdapterBase(Fixture.conversion(folder.url.path))
        #expect(try LanguageAdapter(path: Self.adapters.appending(path: "llama3").path, base: base).rank == 4)
        #expect(try LanguageAdapter(path: Self.adapters.appending(path: "llama3-other.gguf").path, base: base).rank == 2)
    }

    // MARK: What is refused

    private func error(_ adapter: String, on base: String = "llama3", maxRank: Int? = nil) throws -> ConversionError {
        let (keeper, path, _) = try Fixture.converted(base, type: "f32")
        defer { withExtendedLifetime(keeper) {} }
        let own = try AdapterBase(gguf: path)
        return try #require(throws: ConversionError.self) { try LanguageAdapter(path: adapter, base: own, maxRank: maxRank) }
    }

    @Test("an adapter of another model names what does not fit") func wrongBase() throws {
        let foreign = try error(Self.adapters.appending(path: "llama3").path, on: "gemma3")
        #expect(foreign.fault == .unsupported && foreign.problem.contains("model.layers.0.") && foreign.problem.contains("shape"))
        let gguf = try error(Self.adapters.appending(path: "llama3-other.gguf").path, on: "qwen2")
        #expect(gguf.problem.contains("llama") && gguf.problem.contains("qwen2"))
        let shape = try error(Self.adapters.appending(path: "llama3").path, on: "mistral")
        #expect(shape.problem.contains("_proj") && shape.problem.contains("shape"))
    }

    @Test("a rank over the limit") func rank() throws {
        let error = try error(Self.adapters.appending(path: "llama3").path, maxRank: 3)
        #expect(error.problem.contains("rank is 4") && error.problem.contains("--max-lora-rank is 3"))
    }

    @Test(
        "what PEFT can and libllama cannot",
        arguments: [
            ("use_dora", JSONValue.bool(true)), ("modules_to_save", ["lm_head"]), ("bias", "all"), ("peft_type", "IA3"),
            ("lora_bias", true),
            ("alora_invocation_tokens", [1, 2]), ("init_lora_weights", "pissa"),
            ("alpha_pattern", JSONValue.object(JSONObject([("q_proj", 3)]))),
            ("trainable_token_indices", [5]),
        ] as [(String, JSONValue)]) func unsupported(key: String, value: JSONValue) throws
    {
        let folder = try copy(of: "llama3")
        var config = try #require(try JSONValue.parse(Data(contentsOf: folder.url.appending(path: "adapter_config.json"))).objectValue)
        config[key] = value
        try folder.write("adapter_config.json", JSONValue.object(config).jsonText)
        let error = try error(folder.url.path)
        #expect(error.fault == .unsupported && error.problem.contains(key), "\(error)")
    }

    @Test("a layer that has no place", arguments: ["lm_head", "model.embed_tokens"]) func layer(name: String) throws {
        let folder = try copy(of: "llama3")
        let file = folder.url.appending(path: "adapter_model.safetensors")
        var bytes = try Data(contentsOf: file)
        let (old, new) = ("base_model.model.model.layers.0.mlp.down_proj.", "base_model.model.\(name).")
        // Names of the same length, so that the header's length and the offsets stay.
        let padded = new + String(repeating: " ", count: old.count - new.count)
        for half in ["lora_A", "lora_B"] {
            let place = try #require(bytes.range(of: Data("\"\(old)\(half).weight\"".utf8)))
            let text = "\"\(new)\(half).weight\"" + String(repeating: " ", count: padded.count - new.count)
            bytes.replaceSubrange(place, with: Data(text.utf8))
        }
        try bytes.write(to: file)
        let error = try error(folder.url.path)
        #expect(error.fault == .unsupported && error.problem.contains(name), "\(error)")
    }

    @Test("files that are missing, cut short or halved") func damage() throws {
        let folder = try copy(of: "llama3")
        let file = folder.url.appending(path: "adapter_model.safetensors")
        let whole = try Data(contentsOf: file)
        try folder.write("adapter_model.safetensors", whole.dropLast(100))
        #expect(try error(folder.url.path).problem.contains("cut short"))
        var halved = whole
        let place = try #require(halved.range(of: Data("down_proj.lora_B".utf8)))
        halved.replaceSubrange(place, with: Data("down_proj.lora_A".utf8))
        try folder.write("adapter_model.safetensors", halved)
        #expect(try error(folder.url.path).fault != .disk)
        try FileManager.default.removeItem(at: file)
        try folder.write("adapter_model.bin", Data([0]))
        #expect(try error(folder.url.path).problem.contains("pickles"))
        #expect(try error(folder.url.path + "/nowhere").fault == .missing)
        let (keeper, model, _) = try Fixture.converted("llama3", type: "f32")
        defer { withExtendedLifetime(keeper) {} }
        #expect(try error(model).problem.contains("no low-rank adapter"))
        let gguf = try Data(contentsOf: Self.adapters.appending(path: "llama3-other.gguf"))
        try folder.write("cut.gguf", gguf.dropLast(64))
        #expect(try error(folder.url.appending(path: "cut.gguf").path).problem.contains("cut short"))
        var activated = gguf
        let key = try #require(activated.range(of: Data(".lora_b".utf8)))
        activated.replaceSubrange(key, with: Data(".magnit".utf8))
        try folder.write("odd.gguf", activated)
        #expect(try error(folder.url.appending(path: "odd.gguf").path).problem.contains(".magnit"))
    }
}
