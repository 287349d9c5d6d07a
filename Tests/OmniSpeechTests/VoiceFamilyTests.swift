import Foundation
import OmniAPI
import OmniEngine
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

    @Test(
        "each family as sherpa-onnx and the makers publish it",
        arguments: [
            (VoiceFamily.piper, ["en_US-joe-medium.onnx", "en_US-joe-medium.onnx.json", "MODEL_CARD"]),
            (.piper, ["en_US-amy-low.onnx", "en_US-amy-low.onnx.json", "tokens.txt"]),
            (.piper, ["vits-ljs.onnx", "tokens.txt", "lexicon.txt"]),
            (.kokoro, ["model.onnx", "voices.bin", "tokens.txt", "lexicon-us-en.txt"]),
            (.kokoro, ["model.int8.onnx", "voices.bin", "tokens.txt"]),
            (.kitten, ["kitten-nano.fp16.onnx", "voices.bin", "tokens.txt"]),
            (.matcha, ["model-steps-3.onnx", "vocos-22khz-univ.onnx", "tokens.txt"]),
            (.zipvoice, ["encoder.int8.onnx", "decoder.int8.onnx", "vocos_24khz.onnx", "tokens.txt", "lexicon.txt"]),
            (.zipvoice, ["text_encoder.onnx", "fm_decoder.onnx", "vocos_24khz.onnx", "tokens.txt"]),
            (
                .pocket,
                [
                    "lm_flow.int8.onnx", "lm_main.int8.onnx", "encoder.onnx", "decoder.int8.onnx", "text_conditioner.onnx", "vocab.json",
                    "token_scores.json",
                ]
            ),
            (
                .supertonic,
                [
                    "duration_predictor.int8.onnx", "text_encoder.int8.onnx", "vector_estimator.int8.onnx", "vocoder.int8.onnx", "tts.json",
                    "unicode_indexer.bin", "voice.bin",
                ]
            ),
        ])
    func recognised(expected: VoiceFamily, names: [String]) throws {
        #expect(try family(names).0 == expected)
    }

    @Test("quantised files are taken before full ones")
    func quantised() throws {
        let files = try family(["encoder.onnx", "encoder.int8.onnx", "decoder.onnx", "vocos.onnx", "tokens.txt"]).1
        #expect(files["encoder"] == "encoder.int8.onnx" && files["decoder"] == "decoder.onnx")
    }

    @Test(
        "other folders are refused with what is in them",
        arguments: [[], ["model.safetensors", "config.json"], ["tokens.txt"], ["model.onnx"]])
    func unknown(names: [String]) {
        #expect { try family(names) } throws: { error in
            (error as? APIError).map { fault in names.allSatisfy { fault.message.contains($0) } } == true
        }
    }
}

@Suite("The starter voice's files", .enabled(if: StarterVoice.isThere))
struct StarterVoiceFileTests {
    /// The same phonemes without noise.
    func heard(rewritesUpsampling: Bool) throws -> [Float] {
        let scratch = "\(NSTemporaryDirectory())/omni-rewrite-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        var prepared = try PreparedVoice(VoiceFolder(path: StarterVoice.folder), scratch: scratch, rewritesUpsampling: rewritesUpsampling)
        let model = try Data(contentsOf: URL(fileURLWithPath: #require(prepared.files["model"])))
        #expect((model.range(of: Data("\u{22}\rConvTranspose".utf8)) == nil) == rewritesUpsampling)
        (prepared.noiseScale, prepared.noiseScaleW) = (0, 0)
        let phonemes = "həlˈoʊ wˈɜːld, haʊ ɑːɹ juː?".unicodeScalars.map { Int32($0.value) }
        return try #require(
            try SherpaVoice(prepared, threads: 1).speak(SherpaUtterance(input: .phonemes(phonemes)), cancellation: CancellationToken()))
    }

    @Test("the voice sounds the same with its transposed convolutions written as plain ones")
    func sameSound() throws {
        let plain = try heard(rewritesUpsampling: false), fast = try heard(rewritesUpsampling: true)
        #expect(plain.count == fast.count && plain.count > 10_000)
        #expect((plain.map(abs).max() ?? 0) > 0.1)
        #expect((zip(plain, fast).map { abs($0 - $1) }.max() ?? 1) < 1e-4)
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

    /// A graph with one transposed convolution of stride 2 over weights of one channel and five taps.
    func upsampler(
        name: String = "ConvTranspose", extra: [UInt8] = [], given: Bool = false, shape: [[UInt8]] = [[1], [1], [5]], count: Int = 5
    ) -> [UInt8] {
        func attribute(_ name: String, _ values: [UInt8]) -> [UInt8] {
            field(5, field(1, Array(name.utf8)) + values.flatMap { [0x40, $0] })
        }
        let floats = ([1, 2, 3, 4, 5] as [Float]).prefix(count).flatMap { withUnsafeBytes(of: $0) { Array($0) } }
        let weights = shape.flatMap { [0x08] + $0 } + [0x10, 1] + field(8, Array("w".utf8)) + field(9, floats)
        let inputs = field(1, Array("input".utf8)) + field(1, Array("w".utf8))
        let node =
            inputs + field(2, Array("output".utf8)) + field(4, Array(name.utf8)) + attribute("strides", [2]) + attribute("pads", [1, 0])
            + extra
        let graph =
            field(1, node) + field(5, weights) + field(11, field(1, Array((given ? "w" : "input").utf8)))
            + field(12, field(1, Array("output".utf8)))
        return field(8, [0x10, 13]) + [0x3A, UInt8(graph.count & 0x7F) | 0x80, UInt8(graph.count >> 7)] + graph
    }

    /// Operators and float weights of a file's copy.
    func rewritten(_ bytes: [UInt8]) throws -> (operators: [String], weights: [String: [Float]]) {
        var operators: [String] = [], weights: [String: [Float]] = [:]
        try read(bytes) { file in
            let copy = file.path + ".copy"
            defer { try? FileManager.default.removeItem(atPath: copy) }
            try file.writeCopy(to: copy, adding: [], upsampling: true)
            _ = try ONNXFile(path: copy)
            try Data(contentsOf: URL(fileURLWithPath: copy)).withUnsafeBytes { data in
                var model = ProtobufReader(data)
                while let (field, value) = try model.next() {
                    guard field == 7, case .bytes(let graph) = value else { continue }
                    var reader = ProtobufReader(graph)
                    while let (field, value) = try reader.next() {
                        guard case .bytes(let part) = value else { continue }
                        if field == 1 { operators.append(try ONNXNode(part).operation) }
                        if field == 5 {
                            let tensor = try ONNXTensor(part)
                            weights[tensor.name] = tensor.floats(dimensions: tensor.shape.count)
                        }
                    }
                }
            }
        }
        return (operators, weights)
    }

    @Test("a transposed convolution becomes a plain one with a set of taps for each phase, newest input last")
    func phases() throws {
        let copy = try rewritten(upsampler())
        #expect(copy.operators == ["Conv", "Reshape", "Transpose", "Reshape", "Slice"])
        // Phase 0 has the taps 0, 2 and 4 (weights 1, 3, 5), phase 1 the taps 1 and 3 (2, 4).
        #expect(copy.weights == ["output/phases/weight": [5, 3, 1, 0, 4, 2]])
    }

    @Test("what is not understood to the last attribute stays as it is")
    func leftAlone() throws {
        let group = field(5, field(1, Array("group".utf8)) + [0x18, 2]),
            unknown = field(5, field(1, Array("output_shape".utf8)) + [0x40, 9])
        for bytes in [
            upsampler(name: "Conv"), upsampler(extra: group), upsampler(extra: unknown), upsampler(extra: field(7, Array("ai.other".utf8))),
            upsampler(given: true),
        ] {
            let copy = try rewritten(bytes)
            #expect(copy.operators.count == 1 && copy.weights == ["w": [1, 2, 3, 4, 5]])
        }
    }

    @Test("weights of impossible sizes are no weights")
    func impossible() throws {
        let huge = [UInt8](repeating: 0xFF, count: 8) + [0x7F]
        for shape in [[huge, [0], [5]], [[0], huge, [5]], [[0], [1], [5]], [huge, [0], huge]] {
            #expect(try rewritten(upsampler(shape: shape, count: 0)).operators == ["ConvTranspose"])
        }
    }

    @Test("weights that do not fill their shape")
    func weights() {
        #expect { try read(model(weightBytes: 7)) } throws: { "\($0)".contains("the weights w have 7 bytes; their shape needs 8") }
    }

    @Test("every cut and every flipped byte is read to the end or refused")
    func damage() throws {
        for whole in [model(), upsampler()] {
            for length in 0..<whole.count { #expect(throws: APIError.self) { try read(Array(whole.prefix(length))) } }
            for place in whole.indices {
                for value in [0x00, 0x7F, 0x80, 0xFF] as [UInt8] {
                    var damaged = whole
                    damaged[place] = value
                    _ = try? rewritten(damaged)
                }
            }
        }
    }
}
