import Foundation
import OmniModels
import Testing

@testable import omni

@Suite struct DoctorTests {
    @Test func theCPUIsJudgedByItsVectors() {
        let fine = MachineCheck.cpu(info: "model name\t: Some CPU\nflags\t\t: fpu avx2 fma avx512f amx_tile\n", cores: 4)
        #expect(fine.level == .fine && fine.detail == "Some CPU, 4 cores, avx2 fma avx512f amx_tile")
        #expect(MachineCheck.cpu(info: "model name : Old\nflags : fpu sse2", cores: 1).level == .warning)
        #expect(MachineCheck.cpu(info: "Features : fp asimd asimddp", cores: 8).level == .fine)
    }

    @Test func aMissingNativeBuildIsAFault() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "doctor-\(UUID().uuidString)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("LLAMA_VERSION=1\n".utf8).write(to: folder.appending(path: "native.lock"))
        let findings = await NativeCheck(checkout: folder).run()
        #expect(findings.map(\.level) == [.fault] && findings.first?.remedy?.contains("make setup") == true)

        try FileManager.default.createDirectory(at: folder.appending(path: "deps/lib"), withIntermediateDirectories: true)
        try Data("LLAMA_VERSION=0\nKEY=k\n".utf8).write(to: folder.appending(path: "deps/BUILD"))
        let old = await NativeCheck(checkout: folder).run()
        #expect(old.first?.detail.contains("native.lock pins 1") == true)
        #expect(old.last?.detail.contains("libllama") == true)
    }

    @Test func aFreePortIsFree() async { #expect(await PortCheck(port: 1).run().level == .fine) }

    @Test func theSummaryCounts() {
        let text = Finding.text([.fine("a", "x"), .warning("b", "y", remedy: "do"), .fault("c", "z", remedy: nil)])
        #expect(text.contains("→ do") && text.hasSuffix("1 broken, 1 to know about."))
        #expect(Finding.json([.fault("c", "z", remedy: nil)])["healthy"] == .bool(false))
    }

    @Test func brokenModelsAreFaults() throws {
        let empty = FileManager.default.temporaryDirectory.appending(path: "doctor-\(UUID().uuidString)")
        let locations = ModelLocations(home: empty, hubCache: empty)
        let findings = ModelsCheck(inventory: ModelInventory(ModelResolver(locations: locations))).run()
        #expect(findings.map(\.level) == [.fault])
    }
}
