import Foundation
import OmniAPI
import OmniTestSupport
import Testing

@testable import OmniConversion

/// The Qwen-VL family (Tools/omni/vision_goldens.py) beside llama.cpp's converter.
@Suite struct VisionTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "Fixtures/vision")

    /// The converter makes words of the name; libmtmd would choose the limits of pictures itself.
    private static let exceptions: Set = ["general.name", "clip.vision.image_min_pixels", "clip.vision.image_max_pixels"]

    @Test("keys and tensors are those of the converter", arguments: ["qwen2-vl", "qwen2.5-vl", "qwen3-vl"], ["model", "encoders"])
    func equal(family: String, part: String) throws {
        let folder = try TemporaryFolder(), source = Self.fixtures.appending(path: family)
        let (model, encoders) = (folder.url.appending(path: "model.gguf").path, folder.url.appending(path: "encoders.gguf").path)
        try Fixture.conversion(source.path).run(to: model, encoders: encoders)
        let contents = try #require(GGUFContents(path: part == "model" ? model : encoders))
        let golden = try #require(try JSONValue.parse(Data(contentsOf: source.appending(path: "golden.json")))[part])
        let keys = try #require(golden["metadata"]?.objectValue), tensors = try #require(golden["tensors"]?.objectValue)
        #expect(Set(contents.metadata.keys).symmetricDifference(keys.keys).subtracting(Self.exceptions).sorted() == [])
        for (key, value) in keys.members where !Self.exceptions.contains(key) { #expect(contents.metadata[key] == value, "\(key)") }
        #expect(contents.tensors.keys.sorted() == tensors.keys.sorted())
        for (name, value) in tensors.members { #expect(contents.tensors[name] == value, "\(name)") }
    }

    @Test("names as transformers 5 saves them are the same") func newerNames() throws {
        // Qwen3-VL is published with those.
        let checkpoint = try Checkpoint(folder: Self.fixtures.appending(path: "qwen2.5-vl").path)
        let projector = try #require(Architecture.qwen25VL.projector), table = try projector.table(checkpoint.root)
        #expect(table.plainName("model.visual.blocks.0.norm1.weight") == "visual.blocks.0.norm1.weight")
        #expect(table.plainName("visual.blocks.0.norm1.weight") == "visual.blocks.0.norm1.weight")
        #expect(table.plainName("model.language_model.norm.weight") == nil && table.plainName("lm_head.weight") == nil)
    }
}
