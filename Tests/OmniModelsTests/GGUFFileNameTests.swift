import Testing

@testable import OmniModels

@Suite struct GGUFFileNameTests {
    @Test func tellQuantAndShards() {
        #expect(GGUFFileName("Qwen2.5-7B-Instruct-Q4_K_M.gguf")?.quant == "Q4_K_M")
        #expect(GGUFFileName("SmolLM2-135M-Instruct.Q4_1.gguf")?.base == "SmolLM2-135M-Instruct")
        #expect(GGUFFileName("model-UD-IQ2_XXS-00002-of-00003.gguf")?.quant == "UD-IQ2_XXS")
        #expect(GGUFFileName("model.bf16.gguf")?.quant == "BF16")
        #expect(GGUFFileName("plain.gguf")?.quant == nil)
        #expect(GGUFFileName("mmproj-model-f16.gguf")?.isProjector == true)
        #expect(GGUFFileName("model.bin") == nil)
        #expect(GGUFFileName.shardNames(of: "d/m-00002-of-00002.gguf") == ["d/m-00001-of-00002.gguf", "d/m-00002-of-00002.gguf"])
    }
}
