import Foundation
import Logging
import OmniAPI
import OmniTestSupport
import Testing

@testable import OmniConversion

/// Every key and every tensor beside those of llama.cpp's convert_hf_to_gguf.py, which reads the same folder.
@Suite struct ReferenceTests {
    /// What differs on purpose.
    private static let exceptions: [String: String] = [
        "general.name": "the converter makes words of the folder's name",
        "phi3.context_length": "libllama has no window for this network: the context ends where the window does",
    ]

    @Test("keys and tensors are those of the converter", arguments: Fixture.checkpoints) func equal(name: String) throws {
        let (keeper, path, golden) = try Fixture.converted(name)
        defer { withExtendedLifetime(keeper) {} }
        let contents = try #require(GGUFContents(path: path))
        let keys = try #require(golden["metadata"]?.objectValue), tensors = try #require(golden["tensors"]?.objectValue)
        #expect(Set(contents.metadata.keys).symmetricDifference(keys.keys).sorted() == [])
        let hasPooler = name.hasPrefix("bert-")
        for (key, value) in keys.members where Self.exceptions[key] == nil && !(hasPooler && key == "general.size_label") {
            #expect(contents.metadata[key] == value, "\(key)")
        }
        // Without its pooler a BERT's classes are others than transformers'.
        let added = hasPooler ? ["cls.bias", "cls.weight"] : []
        #expect(contents.tensors.keys.sorted() == (Array(tensors.keys) + added).sorted())
        for (tensor, value) in tensors.members { #expect(contents.tensors[tensor] == Self.trimmed(value), "\(tensor)") }
    }

    /// Without the last axes of length 1, which ggml does not count.
    private static func trimmed(_ tensor: JSONValue) -> JSONValue {
        guard var members = tensor.objectValue, var shape = tensor["shape"]?.arrayValue else { return tensor }
        while shape.count > 1, shape.last == 1 { shape.removeLast() }
        members["shape"] = .array(shape)
        return .object(members)
    }

    @Test("a checkpoint in shards, with several threads, and in one piece are the same file") func threads() throws {
        let (keeper, _, _) = try Fixture.converted("qwen3")
        let path = keeper.url.appending(path: "other.gguf").path
        let one = try Conversion(folder: keeper.url.path, threads: 1, logger: .init(label: "test"))
        try one.run(to: path)
        let (left, right) = (
            try #require(GGUFContents(path: path)), try #require(GGUFContents(path: keeper.url.appending(path: "out.gguf").path))
        )
        #expect(left.tensors == right.tensors)
        #expect(left.metadata == right.metadata)
    }

    @Test("what the converter leaves out: further ends of an answer, and the end of a window") func additions() throws {
        let (gemma, _) = try Fixture.checkpoint("gemma3")
        try gemma.write("generation_config.json", #"{"eos_token_id": [1, 6, 20, 21], "temperature": 0.5}"#)
        let ends = try ConversionPlan(Checkpoint(folder: gemma.url.path)).metadata
        #expect(ends["tokenizer.ggml.eos_token_id"] == .uint32(1))
        #expect(ends["tokenizer.ggml.eot_token_id"] == .uint32(20), "libllama knows <end_of_turn>, id 6, by its text")
        #expect(ends["tokenizer.ggml.eom_token_id"] == .uint32(21))
        #expect(ends["general.sampling.temp"] == .float32(0.5))

        let (mistral, _) = try Fixture.checkpoint("mistral")
        let config = try String(contentsOf: mistral.url.appending(path: "config.json"), encoding: .utf8)
        try mistral.write("config.json", config.replacing(#""sliding_window": null"#, with: #""sliding_window": 100"#))
        #expect(try ConversionPlan(Checkpoint(folder: mistral.url.path)).metadata["llama.context_length"] == .uint32(100))
    }
}
