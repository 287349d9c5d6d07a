// swift-tools-version: 6.1
import PackageDescription

// The native libraries stand in deps/, a link that scripts/native.sh makes. Plain `swift build` needs nothing else.
let deps = Context.packageDirectory + "/deps"
let nativeLink: [LinkerSetting] = [
    .unsafeFlags(["-L\(deps)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(deps)/lib"])
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
            name: "OmniModels",
            dependencies: [
                "OmniAPI", "OmniEngine",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),

        .executableTarget(
            name: "omni",
            dependencies: [
                "OmniEngine", "OmniModels",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "Yams", package: "Yams"),
            ]),

        .testTarget(name: "OmniAPITests", dependencies: ["OmniAPI"]),
        .testTarget(
            name: "OmniModelsTests",
            dependencies: [
                "OmniModels",
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .testTarget(name: "OmniCommandTests", dependencies: ["omni"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
