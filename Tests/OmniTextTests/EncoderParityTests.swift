import Foundation
import OmniAPI
import Testing

@testable import OmniText

/// What tiny checkpoints make of texts, pictures, sounds and videos beside transformers: Tools/omni/thinker_goldens.py and
/// vision_goldens.py.
@Suite("Encoders beside transformers", .serialized) struct EncoderParityTests {
    private static let cases = [
        "text", "picture even", "picture small", "picture halves", "picture windows", "picture strip", "sound long", "sound odd",
        "sound short",
        "both", "other way", "video",
    ]

    @Test("Qwen2.5-Omni's thinker", arguments: cases) func omni(name: String) throws {
        let golden = try #require(try EncoderRig.golden("omni/thinker/golden.json")[name]), rig = try EncoderRig("omni/qwen2.5-omni")
        let prompt = try rig.prompt(#require(golden["parts"]?.arrayValue))
        #expect(prompt.tokens.count == golden["tokens"]?.intValue)
        let difference = try rig.difference(rig.logits(prompt), golden)
        #expect(difference <= 1e-3, "\(name): \(difference)")
    }

    private static let families = [
        ("qwen2-vl", "even"), ("qwen2-vl", "windows"), ("qwen2-vl", "video"), ("qwen2.5-vl", "even"), ("qwen2.5-vl", "windows"),
        ("qwen2.5-vl", "video"), ("qwen3-vl", "even"), ("qwen3-vl", "windows"),
    ]

    @Test("the Qwen-VL family", arguments: families) func vision(family: String, medium: String) throws {
        let all = try EncoderRig.golden("vision/\(family)/golden.json"), rig = try EncoderRig("vision/\(family)")
        let golden = try #require(all["pictures"]?[medium])
        let part = JSONObject([(medium == "video" ? "video" : "image", .string(medium))])
        let prompt = try rig.prompt([#require(all["head"]), .object(part), #require(all["tail"])])
        #expect(prompt.tokens.count == golden["tokens"]?.intValue)
        let difference = try rig.difference(rig.logits(prompt), golden)
        #expect(difference <= 1e-3, "\(family), \(medium): \(difference)")
    }

    @Test("frames are chosen and sized as by qwen_vl_utils") func frames() {
        let sizes: [(Int, Int, Int, Int, Int)] = [
            (1920, 1080, 4, 1008, 560), (1920, 1080, 768, 420, 224), (56, 84, 6, 280, 392), (640, 360, 120, 644, 364),
            (70, 2000, 8, 56, 1988),
        ]
        for (width, height, frames, newWidth, newHeight) in sizes {
            #expect(VideoFrames.size(width: width, height: height, frames: frames) == (newWidth, newHeight))
        }
        #expect(VideoFrames.places(total: 6, perSecond: 2) == [0, 1, 2, 3, 4, 5])
        #expect(VideoFrames.places(total: 300, perSecond: 30).prefix(4) == [0, 16, 31, 47])
        #expect(VideoFrames.places(total: 7, perSecond: 25) == [0, 2, 4, 6])
        #expect(VideoFrames.places(total: 100_000, perSecond: 30).count == 768)
        #expect(VideoFrames.places(total: 3, perSecond: 1) == [0, 2])
        #expect(VideoFrames.places(total: 0, perSecond: 1) == [])
    }

    @Test("positions of a video go by its seconds") func clock() throws {
        let omni = try #require(VideoClock(projector: "qwen2.5o"))
        #expect((0..<3).map { omni.delay(of: $0, rate: 2) } == [0, 25, 50])
        #expect((0..<3).map { omni.delay(of: $0, rate: 1.5) } == [0, 33, 66])
        #expect(VideoClock(projector: "qwen2.5vl_merger")?.delay(of: 3, rate: 2) == 6)
        #expect(VideoClock(projector: "gemma3") == nil)
    }
}
