import Foundation
import OmniAPI
import Testing

@testable import OmniModels

@Suite struct PullSelectionTests {
    private func files(_ paths: [String]) -> [HubFile] { paths.map { HubFile(path: $0, size: 1000, checksum: .sha256($0)) } }

    private func chosen(_ paths: [String], _ pattern: String? = nil) throws -> [String] {
        try PullSelection.choose(files(paths), pattern: pattern, for: "o/n").map(\.path)
    }

    @Test func oneQuantisationWithItsShardsAndProjector() throws {
        let paths = [
            "a-Q4_K_M-00001-of-00002.gguf", "a-Q4_K_M-00002-of-00002.gguf", "a-Q8_0.gguf", "mmproj-a-f32.gguf", "mmproj-a-f16.gguf",
            "README.md",
        ]
        #expect(try chosen(paths, "q4_k_m") == ["a-Q4_K_M-00001-of-00002.gguf", "a-Q4_K_M-00002-of-00002.gguf", "mmproj-a-f16.gguf"])
        let error = #expect(throws: ModelError.self) { try chosen(paths) }
        #expect(error?.fault == .ambiguous && error?.problem.contains("Q4_K_M (2.0 kB)") == true)
        #expect(throws: ModelError.self) { try chosen(paths, "Q2_K") }
    }

    @Test func theDefaultsForSamplingComeWithTheModelTheyStandBeside() throws {
        let paths = ["a-Q8_0.gguf", "generation_config.json", "other/generation_config.json", "config.json"]
        #expect(try chosen(paths) == ["a-Q8_0.gguf", "generation_config.json"])
    }

    @Test func twoExpertsComeTogether() throws {
        let paths = [
            "HighNoise/Wan2.2-HighNoise-Q4_K_M.gguf", "LowNoise/Wan2.2-LowNoise-Q4_K_M.gguf", "HighNoise/Wan2.2-HighNoise-Q8_0.gguf",
        ]
        #expect(try chosen(paths, "Q4_K_M").sorted() == Array(paths[..<2]))
        #expect(throws: ModelError.self) { try chosen(["a/One-Q4_K_M.gguf", "b/Two-Q4_K_M.gguf"], "Q4_K_M") }
    }

    @Test func aFileByItsNameComesAlone() throws {
        let paths = ["model_index.json", "split_files/vae/ae.safetensors", "split_files/vae/ae.safetensors.old", "a-Q8_0.gguf"]
        #expect(try chosen(paths, "split_files/vae/ae.safetensors") == ["split_files/vae/ae.safetensors"])
        #expect(try chosen(paths, "a-Q8_0.gguf") == ["a-Q8_0.gguf"])
    }

    @Test func aPipelineComesInOnePrecision() throws {
        let wanted = [
            "model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ]
        let other = [
            "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.bin", "all-in-one.safetensors", "README.md",
            "assets/a.png",
            ".gitattributes", "text_encoder/model.onnx",
        ]
        #expect(try chosen(wanted + other) == wanted)
    }

    @Test func aCheckpointComesWithItsTokenizerAndEachWeightOnce() throws {
        let weights = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        let small = [
            "config.json", "generation_config.json", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
            "chat_template.jinja", "modules.json", "1_Pooling/config.json",
        ]
        let other = [
            "consolidated.safetensors", "pytorch_model.bin", "original/params.json", "onnx/model.onnx", "README.md", ".gitattributes",
            "tokenizer.model",
        ]
        #expect(try Set(chosen(weights + small + other)) == Set(weights + small))
        #expect(try chosen(["config.json", "consolidated.safetensors"]) == ["consolidated.safetensors", "config.json"])
    }

    @Test func globs() throws {
        #expect(try chosen(["a/x.onnx", "b/y.onnx"], "b/*") == ["b/y.onnx"])
        #expect(PullSelection.matches("en/en_US/joe/joe.onnx", glob: "en/*joe*.onnx"))
        #expect(!PullSelection.matches("abc", glob: "a?"))
        #expect(PullSelection.matches("", glob: "**"))
        #expect(throws: ModelError.self) { try chosen(["a"], "z*") }
    }

    @Test func whatCannotBeServedIsNotFetched() {
        #expect(throws: ModelError.self) { try chosen(["model.safetensors", "README.md"]) }
        #expect(throws: ModelError.self) { try chosen(["pytorch_model.bin", "config.json"]) }
    }

    @Test(arguments: [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (98_362_432, "98.4 MB"), (999_960_000, "1.0 GB")] as [(Int64, String)])
    func sizes(_ bytes: Int64, _ text: String) { #expect(byteText(bytes) == text) }
}
