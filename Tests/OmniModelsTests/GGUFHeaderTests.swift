import Foundation
import Testing

@testable import OmniGGUF
@testable import OmniModels

@Suite struct GGUFHeaderTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func header(_ bytes: Data) throws -> GGUFHeader { try GGUFHeader(readingFrom: folder.write("m.gguf", bytes)) }

    @Test func tellsWhatTheFileIs() throws {
        let header = try header(GGUFBuilder(architecture: "qwen2", [
            ("qwen2.context_length", .uint32(32768)), ("tokenizer.ggml.tokens", .strings(["a", "bc", ""])), ("general.name", .string("Qwen ü")),
            ("some.flag", .bool(true)),
        ]).bytes)
        #expect(header.architecture == "qwen2")
        #expect(header.contextLength == 32768)
        #expect(header.metadata["tokenizer.ggml.tokens"] == .array(count: 3))
        #expect(header.string("general.name") == "Qwen ü")
        #expect(header.metadata["some.flag"] == .bool(true))
        #expect(header.tensorCount == 1)
        #expect(header.expectedSize == header.fileSize)
        #expect(!header.isCutShort && !header.isEmbedding && !header.isProjector)
    }

    @Test(arguments: [("bert", nil, true), ("qwen3", 3, true), ("qwen3", 0, false), ("qwen3", 4, false), ("llama", nil, false)] as [(String, UInt32?, Bool)])
    func knowsEmbeddingModels(architecture: String, pooling: UInt32?, embeds: Bool) throws {
        let metadata = pooling.map { [("\(architecture).pooling_type", GGUFBuilder.Value.uint32($0))] } ?? []
        #expect(try header(GGUFBuilder(architecture: architecture, metadata).bytes).isEmbedding == embeds)
    }

    @Test func noticesMissingWeights() throws {
        let bytes = GGUFBuilder(architecture: "llama").bytes
        #expect(try header(bytes.dropLast(1)).isCutShort)
        #expect(try !header(bytes).isCutShort)
    }

    @Test func everyCutOfTheHeaderIsAnError() throws {
        let whole = GGUFBuilder(architecture: "llama", [("t", .strings(["a", "b"]))]).bytes
        let header = whole.count - 256
        for length in 0..<header - 31 {
            #expect(throws: GGUFError.self, "\(length) bytes") { try self.header(whole.prefix(length)) }
        }
    }

    @Test func lengthsAreNotTrusted() throws {
        var builders = [GGUFBuilder(architecture: "llama", [("t", .claim(UInt64.max))]), GGUFBuilder(architecture: "llama", [("t", .claim(1 << 23))])]
        var tensors = GGUFBuilder(architecture: "llama")
        tensors.claimedTensors = 1 << 40
        builders.append(tensors)
        var entries = GGUFBuilder(architecture: "llama")
        entries.claimedEntries = UInt64.max
        builders.append(entries)
        var huge = GGUFBuilder(architecture: "llama")
        huge.tensors = [UInt64(Int64.max)]
        // The size in bytes does not fit in 64 bits; building it would not either, so the count is patched in.
        var bytes = GGUFBuilder(architecture: "llama").bytes
        let place = try #require(bytes.range(of: Data("tensor.0".utf8))).upperBound + 4
        bytes.replaceSubrange(place..<place + 8, with: Data(repeating: 0x7F, count: 8))
        #expect(throws: GGUFError.self) { try header(bytes) }
        for builder in builders { #expect(throws: GGUFError.self) { try header(builder.bytes) } }
    }

    @Test func otherFilesAndVersionsAreRefused() throws {
        #expect(throws: GGUFError.self) { try header(Data()) }
        #expect(throws: GGUFError.self) { try header(Data("not a model".utf8)) }
        var old = GGUFBuilder(architecture: "llama")
        old.version = 1
        #expect(throws: GGUFError.self) { try header(old.bytes) }
    }

    @Test func damagedBytesNeverCrash() throws {
        let whole = GGUFBuilder(architecture: "llama", [("t", .strings(["a", "b"])), ("n", .uint32(7))]).bytes
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var bytes = whole
            for _ in 0..<4 { bytes[Int.random(in: 4..<bytes.count - 256, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            _ = try? header(bytes)
        }
    }

    @Test func fileNames() {
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
