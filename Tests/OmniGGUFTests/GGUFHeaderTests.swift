import Foundation
import OmniTestSupport
import Testing

@testable import OmniGGUF

@Suite struct GGUFHeaderTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func header(_ bytes: Data) throws -> GGUFHeader { try GGUFHeader(readingFrom: folder.write("m.gguf", bytes)) }

    @Test func tellsWhatTheFileIs() throws {
        let header = try header(
            GGUFBuilder(
                architecture: "qwen2",
                [
                    ("qwen2.context_length", .uint32(32768)), ("tokenizer.ggml.tokens", .strings(["a", "bc", ""])),
                    ("general.name", .string("Qwen ü")),
                    ("some.flag", .bool(true)),
                ]
            ).bytes)
        #expect(header.architecture == "qwen2")
        #expect(header.contextLength == 32768)
        #expect(header.metadata["tokenizer.ggml.tokens"] == .array(count: 3))
        #expect(header.string("general.name") == "Qwen ü")
        #expect(header.metadata["some.flag"] == .bool(true))
        #expect(header.tensorCount == 1)
        #expect(header.expectedSize == header.fileSize)
        #expect(!header.isCutShort && !header.isEmbedding && !header.isProjector)
    }

    @Test(
        arguments: [("bert", nil, true), ("qwen3", 3, true), ("qwen3", 0, false), ("qwen3", 4, false), ("llama", nil, false)]
            as [(String, UInt32?, Bool)])
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
        var builders = [
            GGUFBuilder(architecture: "llama", [("t", .claim(UInt64.max))]), GGUFBuilder(architecture: "llama", [("t", .claim(1 << 23))]),
        ]
        var tensors = GGUFBuilder(architecture: "llama")
        tensors.claimedTensors = 1 << 40
        builders.append(tensors)
        var entries = GGUFBuilder(architecture: "llama")
        entries.claimedEntries = UInt64.max
        builders.append(entries)
        for builder in builders { #expect(throws: GGUFError.self) { try header(builder.bytes) } }
    }

    @Test func otherFilesAndVersionsAreRefused() throws {
        #expect(throws: GGUFError.self) { try header(Data()) }
        #expect(throws: GGUFError.self) { try header(Data("not a model".utf8)) }
        var old = GGUFBuilder(architecture: "llama")
        old.version = 1
        #expect(throws: GGUFError.self) { try header(old.bytes) }
    }

    @Test(
        "a tensor's size that does not fit in 64 bits", arguments: [UInt64(Int64.max), 1 << 62, 1 << 63, UInt64.max, 0x7F7F_7F7F_7F7F_7F7F])
    func hugeTensors(length: UInt64) throws {
        var huge = GGUFBuilder(architecture: "llama")
        huge.tensors = [length]
        #expect(throws: GGUFError.self) { try header(huge.bytes) }
    }

    /// Blocks of several elements: rounding up to whole ones must not overflow either.
    @Test(
        "a size of almost 2^63 in every tensor type", arguments: (0...40).map(UInt32.init),
        [UInt64(Int64.max), UInt64(Int64.max) - 30, UInt64(Int64.max) - 254])
    func hugeTensorsOfEveryType(type: UInt32, length: UInt64) throws {
        var bytes = GGUFBuilder(architecture: "llama").bytes
        let place = try #require(bytes.range(of: Data("tensor.0".utf8))).upperBound + 4
        bytes.replaceSubrange(place..<place + 8, with: withUnsafeBytes(of: length.littleEndian) { Data($0) })
        bytes.replaceSubrange(place + 8..<place + 12, with: withUnsafeBytes(of: type.littleEndian) { Data($0) })
        // Either the size is refused, or it is known and the file is too short for it, or the type is unknown.
        do {
            let header = try header(bytes)
            #expect(header.isCutShort || header.expectedSize == nil)
        } catch is GGUFError {}
    }
}
