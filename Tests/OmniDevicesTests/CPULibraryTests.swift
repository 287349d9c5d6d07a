import Foundation
import Testing

@testable import OmniDevices

/// Which of several back ends for the CPU an installation takes.
@Suite struct CPULibraryTests {
    private let all = [
        CPULibrary(name: "sapphirerapids", path: "s", score: 0), CPULibrary(name: "haswell", path: "h", score: 64),
        CPULibrary(name: "alderlake", path: "a", score: 128), CPULibrary(name: "zen4", path: "z", score: 1984),
    ]

    private func chosen(_ environment: [String: String]) throws -> String? {
        try CPULibrary.chosen(of: all, environment: environment)?.name
    }

    @Test func theOneThatUsesMostOfTheCPUIsTaken() throws { #expect(try chosen([:]) == "zen4") }

    @Test func safeModeTakesThePlainest() throws {
        #expect(try chosen(["OMNI_CPU": "baseline"]) == "haswell")
        #expect(try chosen(["OMNI_CPU": "avx512"]) == "zen4")
    }

    @Test func aNameIsFollowedOrRefused() throws {
        #expect(try chosen(["OMNI_GGML_CPU": "Alderlake", "OMNI_CPU": "baseline"]) == "alderlake")
        let other = #expect(throws: UnknownCPULibrary.self) { try chosen(["OMNI_GGML_CPU": "sapphirerapids"]) }
        #expect(other?.description.contains("this CPU does not run it; it runs haswell, alderlake, zen4") == true)
        let unknown = #expect(throws: UnknownCPULibrary.self) { try chosen(["OMNI_GGML_CPU": "z80"]) }
        #expect(unknown?.description.contains("there is none") == true)
    }

    @Test func aBuildForThisMachineHasNone() throws {
        #expect(try CPULibrary.chosen(of: [], environment: ["OMNI_CPU": "baseline"]) == nil)
        #expect(throws: UnknownCPULibrary.self) { try CPULibrary.chosen(of: [], environment: ["OMNI_GGML_CPU": "haswell"]) }
    }

    /// What is no library of ggml's is passed over.
    @Test func othersFilesDoNotCount() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "libraries-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["libggml-cpu-broken.so", "libllama.so.0", "README"] { try Data("x".utf8).write(to: folder.appending(path: name)) }
        let found = CPULibrary.inside(folder.path)
        #expect(found.map(\.name) == ["broken"] && found.allSatisfy { !$0.runs })
    }
}
