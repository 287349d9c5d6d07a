import CLlama
import Foundation
import Logging
import OmniAPI
import OmniTestSupport
import Testing

@testable import OmniConversion

/// The tiny Qwen2.5-Omni (Tools/omni/make_checkpoint.py): its thinker and its encoders beside llama.cpp's converter (conversion_goldens.py).
@Suite struct OmniTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "Fixtures/omni")
    private static let source = fixtures.appending(path: "qwen2.5-omni").path

    /// A copy that a test may spoil.
    private static func copy() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for file in try FileManager.default.contentsOfDirectory(atPath: source) {
            try FileManager.default.copyItem(atPath: "\(source)/\(file)", toPath: folder.url.appending(path: file).path)
        }
        return folder
    }

    /// What differs on purpose: the converter makes words of the name; libmtmd would choose the limits of pictures itself; libraries
    /// round sines differently.
    private static let exceptions: Set = [
        "general.name", "clip.vision.image_min_pixels", "clip.vision.image_max_pixels", "a.position_embd.weight",
    ]

    @Test("keys and tensors are those of the converter; the talker's and the vocoder's are left out", arguments: ["model", "encoders"])
    func equal(part: String) throws {
        let folder = try TemporaryFolder()
        let (model, encoders) = (folder.url.appending(path: "model.gguf").path, folder.url.appending(path: "encoders.gguf").path)
        try Fixture.conversion(Self.source).run(to: model, encoders: encoders)
        let contents = try #require(GGUFContents(path: part == "model" ? model : encoders))
        let golden = try #require(
            try JSONValue.parse(Data(contentsOf: Self.fixtures.appending(path: "conversion.json")))[part])
        let keys = try #require(golden["metadata"]?.objectValue), tensors = try #require(golden["tensors"]?.objectValue)
        #expect(Set(contents.metadata.keys).symmetricDifference(keys.keys).subtracting(Self.exceptions).sorted() == [])
        for (key, value) in keys.members where !Self.exceptions.contains(key) { #expect(contents.metadata[key] == value, "\(key)") }
        #expect(contents.tensors.keys.sorted() == tensors.keys.sorted())
        for (name, value) in tensors.members {
            let found = try #require(contents.tensors[name])
            #expect(found["shape"] == value["shape"] && found["type"] == value["type"], "\(name)")
            if !Self.exceptions.contains(name) { #expect(found["fnv1a"] == value["fnv1a"], "\(name)") }
        }
    }

    @Test("places of a sound are sines, then cosines") func places() throws {
        let plan = try #require(try ConversionPlan(encodersOf: Checkpoint(folder: Self.source)))
        guard case .values(let values)? = plan.tensors.first(where: { $0.name == "a.position_embd.weight" })?.content else {
            return #expect(Bool(false), "it is computed")
        }
        for (place, axis) in [(0, 0), (1, 3), (49, 23), (99, 1)] {
            let angle = Double(place) * exp(-log(10000.0) / 23 * Double(axis))
            #expect(
                abs(Double(values[place * 48 + axis]) - sin(angle)) < 1e-4
                    && abs(Double(values[place * 48 + 24 + axis]) - cos(angle)) < 1e-4)
        }
    }

    @Test("the cache holds both files, and makes them again where one is gone") func cache() throws {
        let data = try TemporaryFolder(), cache = ConversionCache(folder: data.url.path), logger = Logger(label: "test")
        let conversion = try Fixture.conversion(Self.source)
        let files = try cache.files(of: conversion, logger: logger) { _ in }
        let encoders = try #require(files.encoders)
        #expect(files.isNew && FileManager.default.fileExists(atPath: encoders) && FileManager.default.fileExists(atPath: files.path))
        #expect(try !cache.files(of: conversion, logger: logger) { _ in }.isNew)
        try FileManager.default.removeItem(atPath: encoders)
        #expect(try cache.files(of: conversion, logger: logger) { _ in }.isNew)
        #expect(FileManager.default.fileExists(atPath: encoders))
        #expect(try FileManager.default.contentsOfDirectory(atPath: data.url.path).count == 2)
    }

    @Test("the encoders keep their type while the language model is quantized") func quantized() throws {
        let folder = try TemporaryFolder(), encoders = folder.url.appending(path: "encoders.gguf").path
        try Fixture.conversion(Self.source, "q8_0").run(to: folder.url.appending(path: "model.gguf").path, encoders: encoders)
        #expect(try #require(GGUFContents(path: encoders)).tensors["v.blk.0.attn_q.weight"]?["type"] == "bf16")
    }

    private static let faults: [(file: String, from: String, to: String, says: String)] = [
        ("config.json", #""n_window": 100"#, #""n_window": 50"#, "n_window is 50"),
        ("config.json", #""window_size": 112"#, #""window_size": 224"#, "window_size is 224"),
        ("config.json", "    1,\n    3\n", "    0,\n    3\n", "fullatt_block_indexes"),
        ("config.json", #""mrope_section""#, #""other""#, "mrope_section"),
        ("config.json", #""output_dim": 64"#, #""output_dim": 80"#, "output_dim is 80"),
        ("config.json", #""vision_config""#, #""vision""#, "vision_config must be an object"),
        ("preprocessor_config.json", #""image_mean""#, #""mean""#, "image_mean must be three numbers"),
        ("model.safetensors.index.json", "model-00001-of-00003", "model-00009-of-00003", "model-00009-of-00003.safetensors is not there"),
    ]

    @Test("what would be seen or heard differently is refused", arguments: faults.indices) func refused(index: Int) throws {
        let fault = Self.faults[index], folder = try Self.copy(), path = folder.url.appending(path: fault.file)
        let text = try String(contentsOf: path, encoding: .utf8)
        try #require(text.contains(fault.from))
        try folder.write(fault.file, text.replacing(fault.from, with: fault.to))
        let error = #expect(throws: ConversionError.self) {
            try Fixture.conversion(folder.url.path).plan(for: folder.url.appending(path: "out.gguf").path)
        }
        #expect(error?.problem.contains(fault.says) == true, "\(String(describing: error))")
    }

    @Test("without the preprocessor's file there are no eyes") func preprocessor() throws {
        let folder = try Self.copy()
        try FileManager.default.removeItem(at: folder.url.appending(path: "preprocessor_config.json"))
        let error = #expect(throws: ConversionError.self) {
            try Fixture.conversion(folder.url.path).plan(for: folder.url.appending(path: "out.gguf").path)
        }
        #expect(error?.fault == .missing)
    }
}
