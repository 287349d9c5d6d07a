// swift-tools-version: 6.2
import PackageDescription

// The native libraries stand in deps/, a link that scripts/native.sh makes. Plain `swift build` needs nothing else.
let deps = Context.packageDirectory + "/deps"
let nativeLink: [LinkerSetting] = [
    .unsafeFlags(["-L\(deps)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(deps)/lib"])
]
#if arch(x86_64)
let nativeCPU = ["-march=native"]
#else
let nativeCPU: [String] = []
#endif

// sherpa-onnx and ONNX Runtime stand in deps-sherpa/, a link that scripts/sherpa.sh makes.
let depsSherpa = Context.packageDirectory + "/deps-sherpa"
let sherpaLink: [LinkerSetting] = [
    .unsafeFlags(["-L\(depsSherpa)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(depsSherpa)/lib"]),
    .linkedLibrary("sherpa-onnx-c-api"), .linkedLibrary("onnxruntime"),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
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
            cSettings: [.unsafeFlags(["-O3"] + nativeCPU)],
            cxxSettings: [.headerSearchPath("../../deps/include"), .headerSearchPath("../../deps/include/llama-common")],
            linkerSettings: [.linkedLibrary("llama-common"), .linkedLibrary("llama")]),
        .target(
            name: "CFFmpeg",
            linkerSettings: ["avformat", "avcodec", "swscale", "swresample", "avutil"].map { .linkedLibrary($0) }),
        .target(name: "CSherpa", linkerSettings: sherpaLink),
        // The playground's files, embedded by the compiler.
        .target(name: "CPlayground", exclude: ["Web"]),
        // -O3 in debug builds too: its loops are the autoencoder's.
        .target(name: "CTensor", cSettings: [.unsafeFlags(["-O3"] + nativeCPU)]),

        // What everything stands on
        .target(name: "OmniAPI"),
        .target(name: "OmniEngine", dependencies: ["OmniAPI", logging]),
        .target(name: "OmniMedia", dependencies: ["CFFmpeg", "OmniAPI"]),
        .target(name: "OmniTensor", dependencies: ["CLlama", "CTensor", "OmniEngine"], linkerSettings: nativeLink),
        .target(name: "OmniTokenizer"),
        .target(name: "OmniGGUF"),
        .target(name: "OmniLlama", dependencies: ["CLlama", "OmniAPI", "OmniEngine", "OmniGGUF", logging], linkerSettings: nativeLink),

        // What people write applications with; nothing under it has unsafe flags, so that other packages can take it by version
        .target(
            name: "OmniClient",
            dependencies: ["OmniAPI", httpClient, nioCore, nioPosix, .product(name: "NIOHTTP1", package: "swift-nio")]),

        // The engines; none knows another
        .target(name: "OmniText", dependencies: ["CLlama", "CLlamaChat", "OmniEngine", "OmniGGUF", "OmniLlama", logging], linkerSettings: nativeLink),
        .target(name: "OmniDiffusion", dependencies: ["OmniEngine", "OmniTensor", "OmniTokenizer", logging]),
        .target(name: "OmniSpeech", dependencies: ["CLlama", "CSherpa", "OmniEngine", "OmniLlama", "OmniMedia", logging]),

        // The server
        .target(
            name: "OmniModels",
            dependencies: ["OmniAPI", "OmniEngine", "OmniGGUF", httpClient, logging, nioCore, .product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "OmniStore", dependencies: ["OmniAPI", .product(name: "GRDB", package: "GRDB.swift")]),
        .target(
            name: "OmniGateway",
            dependencies: ["OmniAPI", "OmniEngine", "OmniStore", httpClient, logging, nioCore, subprocess, .product(name: "SystemPackage", package: "swift-system")]),
        .target(
            name: "OmniServer",
            dependencies: [
                "CPlayground", "OmniAPI", "OmniEngine", "OmniGateway", "OmniMedia", "OmniStore", httpClient, nioPosix,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .executableTarget(
            name: "omni",
            dependencies: [
                "CLlama", "OmniClient", "OmniDiffusion", "OmniGateway", "OmniMedia", "OmniModels", "OmniServer", "OmniSpeech", "OmniStore", "OmniTensor", "OmniText", httpClient, subprocess,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ]),

        // Measured beside diffusers by Benchmarks/image/run
        .executableTarget(
            name: "image-benchmark", dependencies: ["OmniDiffusion"], path: "Benchmarks/image",
            exclude: ["beside_chat.py", "make_checkpoint.py", "diffusers_benchmark.py", "README.md"]),

        // What people write with the library
        .executableTarget(name: "example-chat", dependencies: ["OmniClient"], path: "Examples/chat"),
        .executableTarget(name: "example-picture", dependencies: ["OmniClient"], path: "Examples/picture"),
        .executableTarget(name: "example-narrated-clip", dependencies: ["OmniClient"], path: "Examples/narrated-clip"),

        // Measured beside diffusers, see Benchmarks/video/README.md
        .executableTarget(
            name: "video-autoencoder-benchmark", dependencies: ["OmniDiffusion", "OmniEngine", "OmniTensor"], path: "Benchmarks/video/autoencoder",
            exclude: ["make_autoencoder.py", "diffusers_benchmark.py"]),
        .executableTarget(
            name: "video-transformer-benchmark", dependencies: ["OmniDiffusion"], path: "Benchmarks/video/transformer",
            exclude: ["make_checkpoint.py", "diffusers_benchmark.py"]),

        .testTarget(name: "OmniAPITests", dependencies: ["OmniAPI"]),
        .testTarget(
            name: "OmniClientTests",
            dependencies: ["OmniClient", nioCore, nioPosix, .product(name: "NIOHTTP1", package: "swift-nio")], resources: [.copy("Fixtures")]),
        .testTarget(name: "OmniEngineTests", dependencies: ["OmniEngine"]),
        .testTarget(
            name: "OmniModelsTests",
            dependencies: ["OmniModels", nioPosix, .product(name: "NIOHTTP1", package: "swift-nio")]),
        .testTarget(name: "OmniCommandTests", dependencies: ["omni"]),
        .testTarget(name: "OmniMediaTests", dependencies: ["OmniMedia"], resources: [.copy("Fixtures")]),
        .testTarget(name: "OmniGatewayTests", dependencies: ["OmniGateway", httpClient]),
        .testTarget(name: "OmniServerTests", dependencies: ["OmniServer"]),
        .testTarget(name: "OmniTensorTests", dependencies: ["OmniTensor"]),
        .testTarget(name: "OmniTokenizerTests", dependencies: ["OmniTokenizer"]),
        .testTarget(name: "OmniTextTests", dependencies: ["OmniLlama", "OmniText"]),
        .testTarget(name: "OmniDiffusionTests", dependencies: ["OmniDiffusion"]),
        .testTarget(name: "OmniSpeechTests", dependencies: ["OmniSpeech"], resources: [.copy("Fixtures")]),
        .testTarget(name: "OmniStoreTests", dependencies: ["OmniStore"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

// A target is compiled anew when a module changes that it names, not when one below those does: each names them all, so that nothing
// stays compiled for an older layout of a type.
extension Target {
    var named: Set<String> { Set(dependencies.compactMap { if case .byNameItem(let name, _) = $0 { name } else { nil } }) }
}

let own = Dictionary(uniqueKeysWithValues: package.targets.filter { $0.name.lowercased().hasPrefix("omni") && !$0.isTest }.map { ($0.name, $0) })
var pending = package.targets
while let target = pending.popLast() {
    let below = target.named.compactMap { own[$0] }.reduce(into: Set<String>()) { $0.formUnion($1.named) }
    let missing = below.filter { own[$0] != nil }.subtracting(target.named)
    guard !missing.isEmpty else { continue }
    target.dependencies += missing.sorted().map { .byNameItem(name: $0, condition: nil) }
    pending.append(target)
}
