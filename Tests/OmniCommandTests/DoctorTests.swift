import Foundation
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
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

    @Test func aContainersLimitsAreTold() {
        let budget = MemoryBudget(limit: 512 << 20, available: 100 << 20, source: "/sys/fs/cgroup/memory.max")
        let memory = MachineCheck.memory(budget)
        #expect(
            memory.level == .warning && memory.detail.contains("/sys/fs/cgroup/memory.max")
                && memory.remedy?.contains("raise the limit") == true)
        #expect(MachineCheck.memory(MemoryBudget(limit: 16 << 30, available: 8 << 30)).level == .fine)
        let half = MachineCheck.cpu(info: "model name : CPU\nflags : avx2", cores: 2, quota: 0.5)
        #expect(half.level == .fine && half.detail.contains("2 cores (a control group allows the time of 0.5)"))
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

    @Test func aPortWhoseServerSpeaksNoHTTPIsTaken() async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).childChannelInitializer { $0.close() }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        #expect(await PortCheck(port: port).run().level != .fine)
        try await server.close()
        #expect(await PortCheck(port: port).run().level == .fine)
    }

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

    @Test func aServersModelsAreToldOf() throws {
        let health = try JSONValue.parse(
            #"{"status":"healthy","models":{"a":"ready","b":"failed"},"faults":{"b":"No memory."},"safe_mode":{"a":"It died."}}"#)
        let findings = ServerCheck.findings(health)
        #expect(findings.map(\.level) == [.fault, .warning] && findings.map(\.subject) == ["model b", "model a"])
        #expect(findings[1].detail.contains("It died.") && findings[1].remedy?.contains("--kernels") == true)
        #expect(ServerCheck.findings("no health").isEmpty)
    }
}
