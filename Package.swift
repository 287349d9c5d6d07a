// swift-tools-version: 6.1
import PackageDescription

// The native libraries stand in deps/, a link that scripts/native.sh makes. Plain `swift build` needs nothing else.
let deps = Context.packageDirectory + "/deps"
let nativeLink: [LinkerSetting] = [
    .unsafeFlags(["-L\(deps)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(deps)/lib"])
]

// sherpa-onnx and ONNX Runtime stand in deps-sherpa/, a link that scripts/sherpa.sh makes.
let depsSherpa = Context.packageDirectory + "/deps-sherpa"
let sherpaLink: [LinkerSetting] = [
    .unsafeFlags(["-L\(depsSherpa)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(depsSherpa)/lib"]),
    .linkedLibrary("sherpa-onnx-c-api"), .linkedLibrary("onnxruntime"),
]

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
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CLlama"),

        .target(name: "OmniAPI"),
        .target(name: "OmniEngine", dependencies: ["OmniAPI", .product(name: "Logging", package: "swift-log")]),

        .target(
            name: "CFFmpeg",
            linkerSettings: ["avformat", "avcodec", "swscale", "swresample", "avutil"].map { .linkedLibrary($0) }),
        .target(name: "OmniMedia", dependencies: ["CFFmpeg", "OmniAPI"]),
        .target(name: "CSherpa", linkerSettings: sherpaLink),
        .target(name: "OmniSpeech", dependencies: ["CSherpa", "OmniEngine", "OmniMedia", .product(name: "Logging", package: "swift-log")]),

        .executableTarget(name: "omni", dependencies: ["OmniEngine"]),

        .testTarget(name: "OmniAPITests", dependencies: ["OmniAPI"]),
        .testTarget(name: "OmniMediaTests", dependencies: ["OmniMedia"], resources: [.copy("Fixtures")]),
        .testTarget(name: "OmniSpeechTests", dependencies: ["OmniSpeech"], resources: [.copy("Fixtures")]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
