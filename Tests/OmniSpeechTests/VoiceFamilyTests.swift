import Foundation
import OmniAPI
import Testing

@testable import OmniSpeech

@Suite("Families of voices, by their files")
struct VoiceFamilyTests {
    func family(_ names: [String]) throws -> (VoiceFamily, [String: String]) {
        let path = "\(NSTemporaryDirectory())/omni-family-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        for name in names { try Data().write(to: URL(fileURLWithPath: "\(path)/\(name)")) }
        let folder = try VoiceFolder(path: path)
        return (folder.family, folder.files.mapValues { ($0 as NSString).lastPathComponent })
    }

    @Test("each family as sherpa-onnx and the makers publish it", arguments: [
        (VoiceFamily.piper, ["en_US-joe-medium.onnx", "en_US-joe-medium.onnx.json", "MODEL_CARD"]),
        (.piper, ["en_US-amy-low.onnx", "en_US-amy-low.onnx.json", "tokens.txt"]),
        (.piper, ["vits-ljs.onnx", "tokens.txt", "lexicon.txt"]),
        (.kokoro, ["model.onnx", "voices.bin", "tokens.txt", "lexicon-us-en.txt"]),
        (.kokoro, ["model.int8.onnx", "voices.bin", "tokens.txt"]),
        (.kitten, ["kitten-nano.fp16.onnx", "voices.bin", "tokens.txt"]),
        (.matcha, ["model-steps-3.onnx", "vocos-22khz-univ.onnx", "tokens.txt"]),
        (.zipvoice, ["encoder.int8.onnx", "decoder.int8.onnx", "vocos_24khz.onnx", "tokens.txt", "lexicon.txt"]),
        (.zipvoice, ["text_encoder.onnx", "fm_decoder.onnx", "vocos_24khz.onnx", "tokens.txt"]),
        (.pocket, [
            "lm_flow.int8.onnx", "lm_main.int8.onnx", "encoder.onnx", "decoder.int8.onnx", "text_conditioner.onnx", "vocab.json", "token_scores.json",
        ]),
        (.supertonic, [
            "duration_predictor.int8.onnx", "text_encoder.int8.onnx", "vector_estimator.int8.onnx", "vocoder.int8.onnx", "tts.json",
            "unicode_indexer.bin", "voice.bin",
        ]),
    ])
    func recognised(expected: VoiceFamily, names: [String]) throws {
        #expect(try family(names).0 == expected)
    }

    @Test("quantised files are taken before full ones")
    func quantised() throws {
        let files = try family(["encoder.onnx", "encoder.int8.onnx", "decoder.onnx", "vocos.onnx", "tokens.txt"]).1
        #expect(files["encoder"] == "encoder.int8.onnx" && files["decoder"] == "decoder.onnx")
    }

    @Test("other folders are refused with what is in them", arguments: [[], ["model.safetensors", "config.json"], ["tokens.txt"], ["model.onnx"]])
    func unknown(names: [String]) {
        #expect { try family(names) } throws: { error in
            (error as? APIError).map { fault in names.allSatisfy { fault.message.contains($0) } } == true
        }
    }
}

@Suite("ONNX files, read without ONNX Runtime")
struct ONNXFileTests {
    func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] { [UInt8(number << 3 | 2), UInt8(bytes.count)] + bytes }

    /// A graph with one node, an output, an input and weights of two floats.
    func model(weightBytes: Int = 8) -> [UInt8] {
        let weights = [0x08, 2, 0x10, 1] + field(8, Array("w".utf8)) + field(9, [UInt8](repeating: 0, count: weightBytes))
        let graph = field(1, []) + field(5, weights) + field(11, field(1, Array("input".utf8))) + field(12, field(1, Array("output".utf8)))
        return field(8, [0x10, 13]) + field(7, graph)
    }

    func read(_ bytes: [UInt8], _ body: (ONNXFile) throws -> Void = { _ in }) throws {
        let path = "\(NSTemporaryDirectory())/onnx-\(UUID().uuidString).onnx"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(ONNXFile(path: path))
    }

    @Test("names and added metadata are found")
    func metadata() throws {
        try read(model()) { file in
            #expect(file.inputs == ["input"] && file.outputs == ["output"] && file.metadata.isEmpty)
            let copy = file.path + ".copy"
            defer { try? FileManager.default.removeItem(atPath: copy) }
            let long = String(repeating: "ä", count: 300)
            try file.writeCopy(to: copy, adding: [("sample_rate", "22050"), ("long", long)])
            #expect(try ONNXFile(path: copy).metadata == ["sample_rate": "22050", "long": long])
        }
    }

    @Test("weights that do not fill their shape")
    func weights() {
        #expect { try read(model(weightBytes: 7)) } throws: { "\($0)".contains("the weights w have 7 bytes; their shape needs 8") }
    }

    @Test("every cut and every flipped byte is read to the end or refused")
    func damage() throws {
        let whole = model()
        for length in 0..<whole.count { #expect(throws: APIError.self) { try read(Array(whole.prefix(length))) } }
        for place in whole.indices {
            for value in [0x00, 0x7F, 0x80, 0xFF] as [UInt8] {
                var damaged = whole
                damaged[place] = value
                _ = try? read(damaged)
            }
        }
    }
}
