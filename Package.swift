// swift-tools-version: 6.1
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

let package = Package(
    name: "swift-omni",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "omni", targets: ["omni"]),
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
        .systemLibrary(name: "CLlama"),

        .target(name: "OmniAPI"),
        .target(name: "OmniEngine", dependencies: ["OmniAPI", .product(name: "Logging", package: "swift-log")]),

        // -O3 in debug builds too: sampling runs over the whole vocabulary for each token.
        .target(
            name: "CLlamaChat",
            cSettings: [.unsafeFlags(["-O3"] + nativeCPU)],
            cxxSettings: [.headerSearchPath("../../deps/include"), .headerSearchPath("../../deps/include/llama-common")],
            linkerSettings: [.linkedLibrary("llama-common"), .linkedLibrary("llama")]),
        .target(
            name: "OmniText",
            dependencies: ["CLlama", "CLlamaChat", "OmniEngine", .product(name: "Logging", package: "swift-log")],
            linkerSettings: nativeLink),
        .target(name: "OmniTensor", dependencies: ["CLlama", "OmniEngine"], linkerSettings: nativeLink),
        .target(name: "OmniTokenizer"),
        .target(name: "OmniDiffusion", dependencies: ["OmniEngine", "OmniTensor", "OmniTokenizer", .product(name: "Logging", package: "swift-log")]),
        .target(
            name: "CFFmpeg",
            linkerSettings: ["avformat", "avcodec", "swscale", "swresample", "avutil"].map { .linkedLibrary($0) }),
        .target(name: "OmniMedia", dependencies: ["CFFmpeg", "OmniAPI"]),
        .target(
            name: "OmniModels",
            dependencies: [
                "OmniAPI", "OmniEngine",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        .target(
            name: "OmniGateway",
            dependencies: [
                "OmniAPI", "OmniEngine",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .target(
            name: "OmniServer",
            dependencies: [
                "OmniAPI", "OmniEngine", "OmniGateway", "OmniMedia",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .executableTarget(
            name: "omni",
            dependencies: [
                "CLlama", "OmniDiffusion", "OmniGateway", "OmniMedia", "OmniModels", "OmniServer", "OmniText",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "Yams", package: "Yams"),
            ]),

        .testTarget(name: "OmniAPITests", dependencies: ["OmniAPI"]),
        .testTarget(name: "OmniTextTests", dependencies: ["OmniText"]),
        .testTarget(name: "OmniTensorTests", dependencies: ["OmniTensor"]),
        .testTarget(name: "OmniTokenizerTests", dependencies: ["OmniTokenizer"]),
        .testTarget(name: "OmniDiffusionTests", dependencies: ["OmniDiffusion"]),
        .testTarget(name: "OmniMediaTests", dependencies: ["OmniMedia"], resources: [.copy("Fixtures")]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
