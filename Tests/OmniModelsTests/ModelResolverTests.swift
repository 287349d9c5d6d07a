import Foundation
import OmniEngine
import OmniTestSupport
import Testing

@testable import OmniModels

@Suite struct ModelResolverTests {
    let folder: TemporaryFolder
    let resolver: ModelResolver
    private let llama = GGUFBuilder(architecture: "llama").bytes

    init() throws {
        folder = try TemporaryFolder()
        resolver = ModelResolver(
            locations: ModelLocations(
                home: folder.url.appending(path: "home"), hubCache: folder.url.appending(path: "hub"),
                packageModels: folder.url.appending(path: "package")))
    }

    private func fault(_ reference: String) -> ModelError? {
        do throws(ModelError) {
            _ = try resolver.resolve(reference)
            return nil
        } catch { return error }
    }

    private func path(_ inner: String) -> String { folder.url.appending(path: inner).path }

    private func snapshot(_ id: String, _ file: String, _ data: Data, commit: String = "abc123") throws {
        let repository = "hub/models--" + id.replacing("/", with: "--")
        try folder.write("\(repository)/snapshots/\(commit)/\(file)", data)
        try folder.write("\(repository)/refs/main", commit)
    }

    @Test func aFile() throws {
        try folder.write("m/Tiny-Q4_0.gguf", llama)
        try folder.write("m/mmproj-Tiny-f16.gguf", GGUFBuilder(architecture: "clip").bytes)
        let model = try resolver.resolve(path("m/Tiny-Q4_0.gguf"))
        #expect(model.kind == .text && model.name == "Tiny-Q4_0" && model.source == .path && model.architecture == "llama")
        #expect(model.mmproj?.lastPathComponent == "mmproj-Tiny-f16.gguf")
        #expect(model.size > Int64(llama.count))
    }

    @Test func aProjectorOfUnknownOwnerIsNotTaken() throws {
        try folder.write("m/One-Q4_0.gguf", llama)
        try folder.write("m/Other-Q4_0.gguf", llama)
        try folder.write("m/mmproj-f16.gguf", GGUFBuilder(architecture: "clip").bytes)
        #expect(try resolver.resolve(path("m/One-Q4_0.gguf")).mmproj == nil)
        #expect(fault(path("m/mmproj-f16.gguf"))?.fault == .unsupported)
    }

    @Test(arguments: ["qwen3tts", "pockettts"]) func aSpeechModelNeedsItsProjector(architecture: String) throws {
        try folder.write("s/Talker-Q8_0.gguf", GGUFBuilder(architecture: architecture).bytes)
        for name in ["s", "s/Talker-Q8_0.gguf"] {
            let missing = try #require(fault(path(name)))
            #expect(missing.fault == .missing && missing.missing == [path("s/mmproj-*.gguf")])
        }
        try folder.write("s/mmproj-Talker-f16.gguf", GGUFBuilder(architecture: "clip").bytes)
        for name in ["s", "s/Talker-Q8_0.gguf"] {
            let model = try resolver.resolve(path(name))
            #expect(
                model.kind == .speech && model.mmproj?.lastPathComponent == "mmproj-Talker-f16.gguf" && model.architecture == architecture)
        }
    }

    @Test func severalQuantisations() throws {
        try snapshot("owner/Tiny-GGUF", "Tiny-Q4_K_M.gguf", llama)
        try snapshot("owner/Tiny-GGUF", "Tiny-Q8_0.gguf", llama)
        let model = try resolver.resolve("owner/Tiny-GGUF:q8_0")
        #expect(model.path.lastPathComponent == "Tiny-Q8_0.gguf" && model.name == "owner/Tiny-GGUF:q8_0" && model.source == .hub)
        let ambiguous = try #require(fault("owner/Tiny-GGUF"))
        #expect(ambiguous.fault == .ambiguous && ambiguous.problem.contains("Q4_K_M, Q8_0"))
        let missing = try #require(fault("owner/Tiny-GGUF:Q2_K"))
        #expect(missing.fault == .missing && missing.remedy?.contains("omni models pull owner/Tiny-GGUF:Q2_K") == true)
    }

    @Test func everyMissingShardIsNamed() throws {
        try folder.write("m/Big-Q4_0-00002-of-00004.gguf", llama)
        let error = try #require(fault(path("m")))
        #expect(error.missing.map { URL(filePath: $0).lastPathComponent } == [1, 3, 4].map { "Big-Q4_0-0000\($0)-of-00004.gguf" })
        for index in [1, 3, 4] { try folder.write("m/Big-Q4_0-0000\(index)-of-00004.gguf", llama) }
        let model = try resolver.resolve(path("m/Big-Q4_0-00003-of-00004.gguf"))
        #expect(model.path.lastPathComponent == "Big-Q4_0-00001-of-00004.gguf" && model.shards.count == 4)
    }

    @Test func aFileCutShortIsDamaged() throws {
        try folder.write("m.gguf", llama.dropLast(10))
        let error = try #require(fault(path("m.gguf")))
        #expect(error.fault == .damaged && error.problem.contains("cut short"))
        try folder.write("n.gguf", "no model")
        #expect(fault(path("n.gguf"))?.fault == .damaged)
    }

    @Test func anEmbeddingModel() throws {
        try folder.write("e.gguf", GGUFBuilder(architecture: "nomic-bert").bytes)
        #expect(try resolver.resolve(path("e.gguf")).kind == .embedding)
        #expect(try resolver.resolve(path("e.gguf"), kind: .text).kind == .text)
    }

    private let index =
        #"{"_class_name":"WanPipeline","vae":["diffusers","AutoencoderKLWan"],"transformer":["diffusers","WanTransformer3DModel"],"scheduler":["diffusers","FlowMatchEulerDiscreteScheduler"],"tokenizer":["transformers","T5Tokenizer"],"text_encoder":["transformers","UMT5EncoderModel"],"safety_checker":[null,null]}"#

    @Test func aDiffusersFolder() throws {
        try folder.write("d/model_index.json", index)
        try folder.write("d/vae/config.json", "{}")
        try folder.write(
            "d/transformer/diffusion_pytorch_model.safetensors.index.json",
            #"{"weight_map":{"a":"s-00001-of-00002.safetensors","b":"s-00002-of-00002.safetensors","c":"../../x"}}"#)
        try folder.write("d/transformer/s-00001-of-00002.safetensors")
        let error = try #require(fault(path("d")))
        let expected = [
            "vae/*.safetensors", "transformer/config.json", "transformer/s-00002-of-00002.safetensors", "scheduler/scheduler_config.json",
            "tokenizer/tokenizer.json",
            "text_encoder/config.json", "text_encoder/*.safetensors",
        ]
        #expect(error.missing == expected.map { path("d/\($0)") })
        for file in [
            "vae/model.safetensors", "transformer/config.json", "transformer/s-00002-of-00002.safetensors",
            "scheduler/scheduler_config.json", "tokenizer/spiece.model", "text_encoder/config.json", "text_encoder/model.safetensors",
        ] {
            try folder.write("d/\(file)")
        }
        let model = try resolver.resolve(path("d"))
        #expect(model.kind == .video && model.architecture == "WanPipeline" && model.name == "d")
    }

    /// A pipeline's class and what its index names, each component whole.
    private func writePipeline(_ name: String, _ pipeline: String, _ components: [String]) throws {
        let classes = ["scheduler": "AScheduler", "tokenizer": "ATokenizer"]
        let files = ["scheduler": "scheduler_config.json", "tokenizer": "tokenizer.json"]
        var members = ["\"_class_name\":\"\(pipeline)\""]
        for component in components {
            let className = classes[component] ?? "AModel"
            members.append("\"\(component)\":[\"diffusers\",\"\(className)\"]")
            let file = files[component] ?? "config.json"
            try folder.write("\(name)/\(component)/\(file)", "{}")
            try folder.write("\(name)/\(component)/model.safetensors")
        }
        try folder.write("\(name)/model_index.json", "{" + members.joined(separator: ",") + "}")
    }

    @Test func imagesAreToldFromVideos() throws {
        for family in PipelineFamily.all {
            for pipeline in family.pipelines {
                try writePipeline("package/omni-emoji", pipeline, family.components)
                let model = try resolver.resolve("omni-emoji")
                #expect(
                    model.kind == family.kind && model.source == .package && model.name == "omni-emoji" && model.architecture == pipeline)
            }
        }
        // The table names no class twice.
        let classes = PipelineFamily.all.flatMap(\.pipelines)
        #expect(Set(classes).count == classes.count)
    }

    @Test func anIndexThatLacksAComponentIsNotWhole() throws {
        try writePipeline("d", "ZImagePipeline", ["scheduler", "tokenizer", "transformer", "vae"])
        #expect(fault(path("d"))?.missing == [path("d/text_encoder")])
    }

    @Test func aPipelineThatNobodyKnowsIsRefusedByItsName() throws {
        try writePipeline("d", "HouseOfCardsVideoPipeline", ["transformer"])
        let error = try #require(fault(path("d")))
        #expect(error.fault == .unsupported && "\(error)".contains("HouseOfCardsVideoPipeline"))
    }

    @Test func aWhisper() throws {
        try folder.write("home/models/whisper-base/ggml-silero-v6.2.0.bin", Data([0x6C, 0x6D, 0x67, 0x67]) + Data(count: 100))
        #expect(fault("whisper-base")?.fault == .missing)
        try folder.write("home/models/whisper-base/ggml-base.bin", whisperFile(audioLayers: 6, textLayers: 6))
        for name in ["whisper-base", path("home/models/whisper-base/ggml-base.bin")] {
            let model = try resolver.resolve(name)
            #expect(model.kind == .transcription && model.architecture == "whisper-base" && model.path.lastPathComponent == "ggml-base.bin")
        }
        try folder.write("home/models/whisper-base/ggml-small-q5_1.bin", whisperFile(audioLayers: 12, textLayers: 12))
        #expect(fault("whisper-base")?.fault == .ambiguous)
        #expect(try resolver.resolve("whisper-base:q5_1").architecture == "whisper-small")
        try folder.write("home/models/whisper-base/ggml-small-q5_1.bin", whisperFile(audioLayers: 12, textLayers: 12).dropLast(9))
        #expect(fault("whisper-base:q5_1")?.fault == .damaged)
    }

    @Test func aVoice() throws {
        try folder.write("home/models/joe/joe.onnx")
        #expect(fault("joe")?.missing.first?.contains("tokens.txt") == true)
        try folder.write("home/models/joe/tokens.txt")
        let model = try resolver.resolve("joe")
        #expect(model.kind == .speech && model.source == .home && model.architecture == "piper")
    }

    @Test(
        "every kind of voice by the files its makers give it",
        arguments: [
            ("piper", ["x.onnx", "x.onnx.json"]), ("kokoro", ["model.int8.onnx", "voices.bin", "tokens.txt"]),
            ("kitten", ["kitten.onnx", "voices.bin", "tokens.txt"]),
            ("matcha", ["model-steps-3.onnx", "vocos-22khz-univ.onnx", "tokens.txt"]),
            ("zipvoice", ["encoder.onnx", "decoder.onnx", "vocos.onnx", "tokens.txt"]),
            (
                "pocket",
                [
                    "lm_flow.onnx", "lm_main.onnx", "encoder.onnx", "decoder.onnx", "text_conditioner.onnx", "vocab.json",
                    "token_scores.json",
                ]
            ),
            (
                "supertonic",
                [
                    "duration_predictor.onnx", "text_encoder.onnx", "vector_estimator.onnx", "vocoder.onnx", "tts.json",
                    "unicode_indexer.bin", "voice.bin",
                ]
            ),
        ])
    func voices(kind: String, files: [String]) throws {
        for file in files { try folder.write("v/\(file)") }
        let model = try resolver.resolve(path("v"))
        #expect(model.kind == .speech && model.architecture == kind)
        let last = try #require(files.last)
        try FileManager.default.removeItem(atPath: path("v/\(last)"))
        #expect(throws: ModelError.self) { try resolver.resolve(path("v")) }
        // As the Hub's cache has a file whose bytes never came.
        try FileManager.default.createSymbolicLink(atPath: path("v/\(last)"), withDestinationPath: "nowhere")
        #expect(fault(path("v"))?.missing == [path("v/\(last)")])
    }

    @Test func whatIsNotThereIsSaidForAllAtOnce() throws {
        let thrown = #expect(throws: ModelErrors.self) {
            try resolver.resolve(["nobody/nothing:Q4_0", "smollm2-135m-instruct", "./no.gguf", "mystery"])
        }
        let errors = try #require(thrown).errors
        #expect(errors.map(\.fault) == [.missing, .missing, .missing, .missing])
        #expect(errors[0].remedy == "Fetch it: omni models pull nobody/nothing:Q4_0")
        #expect(errors[1].remedy?.contains("make serve") == true)
        #expect(errors[3].remedy?.contains("smollm2-135m-instruct") == true)
    }

    @Test func aTransformersCheckpointIsExplained() throws {
        try snapshot("owner/Model", "model.safetensors", Data("x".utf8))
        try snapshot("owner/Model", "config.json", Data("{}".utf8))
        let error = try #require(fault("owner/Model"))
        #expect(error.fault == .unsupported && error.remedy?.contains("omni models pull owner/Model-GGUF") == true)
        #expect(error.remedy?.contains("Qwen3ForCausalLM") == true, "the known architectures are named")
    }

    @Test(arguments: [("qwen3", "qwen3", ModelKind.text), ("bert", "bert", .embedding), ("qwen3-embedding", "qwen3", .embedding)])
    func aTransformersCheckpointIsFound(_ name: String, _ architecture: String, _ kind: ModelKind) throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let fixtures = tests.appending(path: "OmniConversionTests/Fixtures")
        let place = folder.url.appending(path: "copied")
        try FileManager.default.copyItem(at: fixtures.appending(path: "checkpoints/\(name)"), to: place)
        let model = try resolver.resolve(place.path)
        #expect(model.kind == kind && model.architecture == architecture && model.path.path == place.path && model.size > 10_000)
        let weights = try #require(FileManager.default.contentsOfDirectory(atPath: place.path).first { $0.hasSuffix(".safetensors") })
        try FileManager.default.removeItem(at: place.appending(path: weights))
        try folder.write("copied/pytorch_model.bin")
        #expect(fault(place.path)?.fault == .missing)
    }

    @Test(arguments: ["../home/models/x", "a/../b", "/", "owner/..", "..", "", "a\0b", ":", "owner/name:"])
    func hostileNamesAreRefused(_ name: String) { #expect(fault(name) != nil) }

    /// Whatever lies in the folder above: a name leads nowhere by itself.
    @Test(arguments: ["..", "a/..", "a/../b", "..:Q4_K_M", "/", "/..", "/."])
    func namesThatClimbAreRefusedAsSuch(_ name: String) { #expect(fault(name)?.fault == .malformed) }

    @Test func aPathMayClimb() throws {
        try folder.write("m/One-Q4_0.gguf", llama)
        try folder.write("n/x", Data())
        #expect(try resolver.resolve(path("n/../m")).name == "m")
    }

    @Test func theEnvironmentDecidesWhereToLook() {
        let locations = ModelLocations.fromEnvironment(
            ["OMNI_HOME": "/o", "HF_HOME": "/h", "HF_HUB_CACHE": ""], executable: nil, workingDirectory: "/")
        #expect(locations.home.path == "/o" && locations.hubCache.path == "/h/hub")
        let named = ModelLocations.fromEnvironment(["XDG_DATA_HOME": "/d", "HF_HUB_CACHE": "/c"], executable: nil, workingDirectory: "/")
        #expect(named.home.path == "/d/omni" && named.hubCache.path == "/c" && named.packageModels == nil)
    }

    @Test func theInventoryHasEveryModelOnce() throws {
        try snapshot("owner/Tiny-GGUF", "Tiny-Q4_K_M.gguf", llama)
        try snapshot("owner/Tiny-GGUF", "Tiny-Q8_0.gguf", llama)
        try folder.write("home/models/smollm2-135m-instruct/s.gguf", llama)
        try folder.write("home/models/someone/else/m.gguf", llama.dropLast(5))
        let inventory = ModelInventory(resolver)
        #expect(inventory.models.map(\.reference) == ["smollm2-135m-instruct", "owner/Tiny-GGUF:Q4_K_M", "owner/Tiny-GGUF:Q8_0"])
        #expect(inventory.faults.map(\.model) == ["someone/else"])
        #expect(resolver.starters().map(\.name) == ["smollm2-135m-instruct"])
    }
}
