// swift-tools-version: 6.2
import PackageDescription

// The native libraries stand in deps/, deps-sherpa/ and deps-whisper/, links that scripts/native.sh, sherpa.sh and whisper.sh make. Plain
// `swift build` needs nothing else. `make dist` sets OMNI_PORTABLE: libraries for all CPUs, which the program finds beside itself.
let isPortable = Context.environment["OMNI_PORTABLE"] != nil
func linking(_ folder: String) -> LinkerSetting {
    let libraries = "\(Context.packageDirectory)/\(folder)/lib"
    return .unsafeFlags(["-L\(libraries)", "-Xlinker", "-rpath", "-Xlinker", isPortable ? "$ORIGIN/../lib/omni" : libraries])
}
let nativeLink = [linking(isPortable ? "deps-portable" : "deps")]
// What every x86-64 CPU since 2013 has; the kernels of CTensor are compiled for more of them and chosen when the program runs.
#if arch(x86_64)
    let everyCPU = ["-march=x86-64-v3"]
#else
    let everyCPU: [String] = []
#endif

let sherpaLink: [LinkerSetting] = [linking("deps-sherpa"), .linkedLibrary("sherpa-onnx-c-api"), .linkedLibrary("onnxruntime")]
let whisperLink = [linking(isPortable ? "deps-whisper-portable" : "deps-whisper")]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
// It supports no iOS; whoever takes OmniClient there plans this package too.
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess", condition: .when(platforms: [.linux, .macOS]))

let package = Package(
    name: "swift-omni",
    platforms: [.macOS(.v15), .iOS(.v18), .tvOS(.v18), .visionOS(.v2)],
    products: [
        .executable(name: "omni", targets: ["omni"]),
        .library(name: "OmniClient", targets: ["OmniClient", "OmniAPI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C and C++
        .systemLibrary(name: "CLlama"),
        // -O3 in debug builds too: sampling runs over the whole vocabulary for each token.
        .target(
            name: "CLlamaChat",
            cSettings: [.unsafeFlags(["-O3"] + everyCPU)],
            cxxSettings: [.headerSearchPath("../../deps/include"), .headerSearchPath("../../deps/include/llama-common")],
            linkerSettings: [.linkedLibrary("llama-common"), .linkedLibrary("llama")]),
        .target(
            name: "CFFmpeg",
            linkerSettings: ["avformat", "avcodec", "swscale", "swresample", "avutil"].map { .linkedLibrary($0) }),
        .systemLibrary(name: "CZlib"),
        .target(name: "CSherpa", linkerSettings: sherpaLink),
        .systemLibrary(name: "CWhisper"),
        // The playground's files, embedded by the compiler.
        .target(name: "CPlayground", exclude: ["Web"]),
        // -O3 in debug builds too: its loops are the autoencoder's. Each file of `variants` says itself which CPU it is for.
        .target(name: "CTensor", cSettings: [.unsafeFlags(["-O3"])]),

        // Products by their definition, for the least CPU: what kernels are compared with.
        .target(name: "CKernelReference", cSettings: [.unsafeFlags(["-O3"])]),

        // What everything stands on
        .target(name: "OmniAPI"),
        .target(name: "OmniAnswerSchema", dependencies: ["OmniAPI"]),
        .target(name: "OmniWorkerAPI", dependencies: ["OmniAPI"]),
        .target(name: "OmniEngine", dependencies: ["OmniAPI", logging]),
        .target(name: "OmniMedia", dependencies: ["CFFmpeg", "OmniAPI"]),
        .target(name: "OmniDevices", dependencies: ["CLlama"], linkerSettings: nativeLink),
        .target(
            name: "OmniTensor", dependencies: ["CLlama", "CTensor", "OmniDevices", "OmniEngine", "OmniGGUF"], linkerSettings: nativeLink),
        .target(
            name: "OmniKernelCheck", dependencies: ["CKernelReference", "CLlama", "CTensor", "OmniAPI", "OmniDevices"],
            linkerSettings: nativeLink),
        .target(name: "OmniTokenizer"),
        .target(name: "OmniGGUF"),
        .target(name: "OmniZip", dependencies: ["CZlib"]),
        .target(
            name: "OmniLlama", dependencies: ["CLlama", "OmniAPI", "OmniDevices", "OmniEngine", "OmniGGUF", logging],
            linkerSettings: nativeLink),

        // Networks of pictures and videos in files of their own
        .target(name: "OmniSingleFiles", dependencies: ["OmniAPI", "OmniEngine", "OmniGGUF", "OmniTensor"]),

        // Checkpoints of transformers as GGUF
        .target(
            name: "OmniConversion", dependencies: ["CLlama", "OmniGGUF", "OmniLlama", "OmniTensor", logging], linkerSettings: nativeLink),

        // What people write applications with; nothing under it has unsafe flags, so that other packages can take it by version
        .target(
            name: "OmniClient",
            dependencies: [
                "OmniAPI", httpClient, nioCore, nioHTTP1, nioPosix, .product(name: "NIOHTTPCompression", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "NIOWebSocket", package: "swift-nio"),
            ]),

        // The engines; none knows another
        .target(
            name: "OmniText",
            dependencies: [
                "CLlama", "CLlamaChat", "OmniAnswerSchema", "OmniEngine", "OmniGGUF", "OmniLlama", "OmniMedia", crypto, logging,
            ],
            linkerSettings: nativeLink),
        .target(
            name: "OmniDiffusion",
            dependencies: ["OmniDevices", "OmniEngine", "OmniGGUF", "OmniSingleFiles", "OmniTensor", "OmniTokenizer", logging]),
        .target(name: "OmniToken2Wav", dependencies: ["OmniEngine", "OmniTensor", "OmniZip"]),
        .target(name: "OmniSpeech", dependencies: ["CLlama", "CSherpa", "OmniEngine", "OmniLlama", "OmniMedia", logging]),
        .target(
            name: "OmniTranscription",
            dependencies: ["CLlama", "CWhisper", "CZlib", "OmniAPI", "OmniDevices", "OmniEngine", "OmniGGUF", logging],
            linkerSettings: nativeLink + whisperLink),

        // The server
        .target(
            name: "OmniModels",
            dependencies: [
                "OmniAPI", "OmniConversion", "OmniEngine", "OmniGGUF", "OmniSingleFiles", "OmniZip", crypto, httpClient, logging, nioCore,
                nioHTTP1, nioPosix,
            ]),
        .target(name: "OmniStore", dependencies: ["OmniAPI", "OmniWorkerAPI", .product(name: "GRDB", package: "GRDB.swift")]),
        .target(name: "OmniAccess", dependencies: ["OmniAPI", crypto]),
        .target(
            name: "OmniGateway",
            dependencies: [
                "OmniAPI", "OmniAccess", "OmniEngine", "OmniStore", "OmniWorkerAPI", httpClient, logging, nioCore, subprocess,
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .target(
            name: "OmniHTTP",
            dependencies: [
                "CZlib", "OmniAPI", "OmniAccess", "OmniEngine", httpClient, hummingbird, logging, nioCore, nioHTTP1, nioPosix,
                serviceLifecycle,
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ]),
        .target(name: "OmniRequests", dependencies: ["OmniAPI", "OmniEngine", "OmniHTTP", "OmniMedia", hummingbird, nioCore, nioPosix]),
        .target(
            name: "OmniWorkerServer",
            dependencies: [
                "OmniAPI", "OmniEngine", "OmniHTTP", "OmniMedia", "OmniRequests", "OmniStore", "OmniWorkerAPI", crypto, hummingbird,
                logging, nioCore,
                nioPosix, serviceLifecycle,
            ]),
        .target(
            name: "OmniGatewayServer",
            dependencies: [
                "CPlayground", "OmniAPI", "OmniAccess", "OmniAnswerSchema", "OmniEngine", "OmniGateway", "OmniHTTP", "OmniMedia",
                "OmniRequests",
                "OmniStore", "OmniWorkerAPI", crypto,
                hummingbird, logging, nioCore, nioPosix, serviceLifecycle,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),
        .executableTarget(
            name: "omni",
            dependencies: [
                "CLlama", "OmniAccess", "OmniClient", "OmniConversion", "OmniDevices", "OmniDiffusion", "OmniGateway", "OmniGatewayServer",
                "OmniHTTP",
                "OmniTranscription",
                "OmniKernelCheck", "OmniMedia", "OmniModels", "OmniRequests", "OmniSingleFiles", "OmniSpeech", "OmniStore", "OmniTensor",
                "OmniText",
                "OmniToken2Wav", "OmniWorkerServer", httpClient, nioCore, nioHTTP1, nioPosix, subprocess,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ]),

        // What the benchmarks share
        .target(name: "BenchmarkSupport", dependencies: ["OmniEngine"], path: "Benchmarks/support"),

        // Our graphs on a GPU beside the CPU, see docs/gpu.md
        .executableTarget(
            name: "gpu-check", dependencies: ["OmniAPI", "OmniDevices", "OmniDiffusion", "OmniEngine", "OmniTensor", "OmniText", logging],
            path: "Tools/gpu",
            exclude: ["backend.sh", "lavapipe.sh", "make_models.py", "run.sh"]),

        // Measured beside diffusers by Benchmarks/image/run
        .executableTarget(
            name: "image-benchmark", dependencies: ["BenchmarkSupport", "OmniDiffusion"], path: "Benchmarks/image",
            exclude: ["beside_chat.py", "make_checkpoint.py", "diffusers_benchmark.py", "README.md"]),

        // What people write with the library
        .executableTarget(name: "example-chat", dependencies: ["OmniClient"], path: "Examples/chat"),
        .executableTarget(name: "example-talk", dependencies: ["OmniClient"], path: "Examples/talk"),
        .executableTarget(name: "example-picture", dependencies: ["OmniClient"], path: "Examples/picture"),
        .executableTarget(name: "example-narrated-clip", dependencies: ["OmniClient"], path: "Examples/narrated-clip"),

        // Measured beside diffusers, see Benchmarks/video/README.md
        .executableTarget(
            name: "video-autoencoder-benchmark", dependencies: ["BenchmarkSupport", "OmniDiffusion", "OmniEngine", "OmniTensor"],
            path: "Benchmarks/video/autoencoder",
            exclude: ["make_autoencoder.py", "diffusers_benchmark.py"]),
        .executableTarget(
            name: "video-transformer-benchmark", dependencies: ["BenchmarkSupport", "OmniDiffusion"], path: "Benchmarks/video/transformer",
            exclude: ["make_checkpoint.py", "diffusers_benchmark.py"]),

        // Measured beside transformers, see Benchmarks/token2wav/README.md
        .executableTarget(
            name: "token2wav-benchmark", dependencies: ["BenchmarkSupport", "OmniEngine", "OmniTensor", "OmniToken2Wav"],
            path: "Benchmarks/token2wav", exclude: ["make_checkpoint.py", "transformers_benchmark.py", "README.md", "run"]),

        // What several test targets share
        .target(
            name: "OmniTestSupport", dependencies: ["OmniEngine", nioCore, nioPosix, nioHTTP1], path: "Tests/Support"),
        .testTarget(name: "OmniAPITests", dependencies: ["OmniAPI"]),
        .testTarget(name: "OmniAnswerSchemaTests", dependencies: ["OmniAnswerSchema"]),
        .testTarget(
            name: "OmniClientTests",
            dependencies: ["OmniAPI", "OmniClient", nioCore, nioPosix, nioHTTP1, .product(name: "NIOWebSocket", package: "swift-nio")],
            resources: [.copy("Fixtures")]),
        .testTarget(name: "OmniEngineTests", dependencies: ["OmniEngine"]),
        .testTarget(
            name: "OmniConversionTests",
            dependencies: ["CLlama", "OmniConversion", "OmniLlama", "OmniTestSupport", logging], exclude: ["Fixtures"]),
        .testTarget(name: "OmniGGUFTests", dependencies: ["OmniGGUF", "OmniTestSupport"]),
        .testTarget(name: "OmniDevicesTests", dependencies: ["OmniDevices"]),
        .testTarget(name: "OmniKernelCheckTests", dependencies: ["OmniDevices", "OmniKernelCheck", subprocess]),
        .testTarget(
            name: "OmniModelsTests",
            dependencies: ["OmniModels", "OmniTestSupport", "OmniZip", crypto, nioPosix, nioHTTP1]),
        .testTarget(name: "OmniCommandTests", dependencies: ["omni", nioCore, nioPosix]),
        .testTarget(name: "OmniMediaTests", dependencies: ["OmniMedia", "OmniTestSupport"], resources: [.copy("Fixtures")]),
        .testTarget(
            name: "OmniGatewayTests",
            dependencies: ["OmniGateway", "OmniTestSupport", httpClient, logging, nioCore, nioPosix, nioHTTP1]),
        .testTarget(name: "OmniAccessTests", dependencies: ["OmniAccess", "OmniAPI"]),
        .testTarget(
            name: "OmniHTTPTests",
            dependencies: [
                "CZlib", "OmniHTTP", "OmniStore", "OmniTestSupport", hummingbird, nioCore, nioPosix,
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ]),
        .testTarget(name: "OmniRequestsTests", dependencies: ["OmniRequests"]),
        .testTarget(name: "OmniWorkerServerTests", dependencies: ["OmniTestSupport", "OmniWorkerServer", httpClient, serviceLifecycle]),
        .testTarget(
            name: "OmniGatewayServerTests", dependencies: ["OmniGatewayServer", "OmniTestSupport", hummingbird, nioCore, nioPosix]),
        .testTarget(name: "OmniTensorTests", dependencies: ["OmniTensor", "OmniTestSupport"]),
        .testTarget(name: "OmniTokenizerTests", dependencies: ["OmniTokenizer"]),
        .testTarget(
            name: "OmniTextTests",
            dependencies: ["CLlama", "OmniAnswerSchema", "OmniConversion", "OmniLlama", "OmniTestSupport", "OmniText"]),
        .testTarget(name: "OmniDiffusionTests", dependencies: ["OmniDiffusion", "OmniSingleFiles", "OmniTestSupport"]),
        .testTarget(name: "OmniToken2WavTests", dependencies: ["OmniToken2Wav", "OmniTestSupport"]),
        .testTarget(name: "OmniTranscriptionTests", dependencies: ["OmniTranscription", "OmniTestSupport"]),
        .testTarget(name: "OmniSpeechTests", dependencies: ["OmniSpeech", "OmniTestSupport"], resources: [.copy("Fixtures")]),
        .testTarget(
            name: "OmniStoreTests", dependencies: ["OmniStore", .product(name: "GRDB", package: "GRDB.swift")],
            resources: [.copy("Fixtures")]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

// A target is compiled anew when a module changes that it names, not when one below those does: each names them all, so that nothing
// stays compiled for an older layout of a type.
extension Target {
    var named: Set<String> { Set(dependencies.compactMap { if case .byNameItem(let name, _) = $0 { name } else { nil } }) }
}

let own = Dictionary(
    uniqueKeysWithValues: package.targets.filter { $0.name.lowercased().hasPrefix("omni") && !$0.isTest }.map { ($0.name, $0) })
var pending = package.targets
while let target = pending.popLast() {
    let below = target.named.compactMap { own[$0] }.reduce(into: Set<String>()) { $0.formUnion($1.named) }
    let missing = below.filter { own[$0] != nil }.subtracting(target.named)
    guard !missing.isEmpty else { continue }
    target.dependencies += missing.sorted().map { .byNameItem(name: $0, condition: nil) }
    pending.append(target)
}

// A member is seen in the files that import its module, and in no others.
for target in package.targets where target.type != .system && !target.name.hasPrefix("C") {
    target.swiftSettings = (target.swiftSettings ?? []) + [.enableUpcomingFeature("MemberImportVisibility")]
}
