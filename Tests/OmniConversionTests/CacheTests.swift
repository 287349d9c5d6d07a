import Foundation
import Logging
import OmniAPI
import OmniTestSupport
import Synchronization
import Testing

@testable import OmniConversion

/// GGUFs in the data folder.
@Suite struct CacheTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func names(_ folder: TemporaryFolder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
    }

    @Test("a checkpoint is converted once, and anew when it has changed") func once() throws {
        let (source, _) = try Fixture.checkpoint("llama3")
        let data = try TemporaryFolder(), cache = ConversionCache(folder: data.url.path)
        let steps = Mutex<[Double]>([])
        let first = try cache.files(of: try Fixture.conversion(source.url.path), logger: logger) { done in
            steps.withLock { $0.append(done) }
        }.path
        #expect(steps.withLock { $0.max() } == 1 && steps.withLock { $0.count } > 5)
        let time = try FileManager.default.attributesOfItem(atPath: first)[.modificationDate] as? Date
        let second = try cache.files(of: try Fixture.conversion(source.url.path), logger: logger) { _ in Issue.record("converted twice") }
            .path
        #expect(first == second)
        #expect(try FileManager.default.attributesOfItem(atPath: first)[.modificationDate] as? Date == time)

        try source.write("chat_template.jinja", "{{ messages }}")
        let third = try cache.files(of: try Fixture.conversion(source.url.path), logger: logger) { _ in }.path
        #expect(third != first)
        #expect(try names(data) == [URL(filePath: third).lastPathComponent], "the older one is gone")
    }

    @Test("types stand beside each other, and what a process left behind is removed") func types() throws {
        let (source, _) = try Fixture.checkpoint("llama3")
        let data = try TemporaryFolder(), cache = ConversionCache(folder: data.url.path)
        try data.write("old.gguf.incomplete", "half")
        let paths = try ["f32", "q8_0"].map {
            try cache.files(of: try Fixture.conversion(source.url.path, $0), logger: logger) { _ in }.path
        }
        #expect(try names(data) == paths.map { URL(filePath: $0).lastPathComponent }.sorted())
    }

    @Test("two at once make one file") func together() async throws {
        let (source, _) = try Fixture.checkpoint("llama3")
        let data = try TemporaryFolder(), cache = ConversionCache(folder: data.url.path)
        let conversion = try Fixture.conversion(source.url.path), logger = logger
        let paths = await withTaskGroup(of: String?.self) { group in
            for _ in 0..<4 { group.addTask { try? cache.files(of: conversion, logger: logger) { _ in }.path } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(paths).count == 1 && paths.count == 4 && paths.first != .some(nil))
        #expect(try names(data).count == 1)
    }

    @Test("a disk without room is an error before anything is written") func price() throws {
        let error = #expect(throws: ConversionError.self) {
            try ConversionPlan.checkSpace(for: 1 << 60, at: FileManager.default.temporaryDirectory.path + "/x.gguf")
        }
        #expect(error?.fault == .disk && error?.problem.contains("free") == true)
    }

    @Test("quantized by libllama") func quantized() throws {
        let (source, golden) = try Fixture.checkpoint("llama3")
        _ = golden
        let path = source.url.appending(path: "q8.gguf").path
        try Fixture.conversion(source.url.path, "q8_0").run(to: path)
        let contents = try #require(GGUFContents(path: path))
        #expect(contents.tensors["blk.0.attn_q.weight"]?["type"] == "q8_0")
        #expect(contents.metadata["general.file_type"]?["value"] == 7)
        #expect(try names(source).filter { $0.contains("incomplete") || $0.contains("whole") } == [])
        #expect(throws: ConversionError.self) { try Quantization(named: "q9_9") }
        #expect(try Quantization(named: "fp8").description == "q8_0")
    }
}
