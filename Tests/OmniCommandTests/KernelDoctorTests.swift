import Foundation
import OmniAPI
import Testing

@testable import omni

/// The doctor's children are the real program.
@Suite("omni doctor --kernels", .timeLimit(.minutes(10)))
struct KernelDoctorTests {
    /// Beside the tests' bundle.
    private static var program: String? {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments.first ?? ""
        var folder = URL(filePath: bundle).deletingLastPathComponent()
        for _ in 0..<4 {
            let path = folder.appending(path: "omni").path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
            folder.deleteLastPathComponent()
        }
        let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let path = checkout.appending(path: ".build/debug/omni").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    private func findings(_ group: String, plant: String? = nil) async throws -> [KernelFinding] {
        let program = try #require(Self.program, "omni is not built")
        return await KernelDoctor(executable: program, plant: plant, limit: .seconds(120)).run(group)
    }

    @Test("a signal costs its own case, and the kernel is named", arguments: ["SIGILL", "SIGSEGV", "SIGABRT"])
    func signals(name: String) async throws {
        let whole = try await findings("ggml f16")
        #expect(whole.count >= 12 && whole.allSatisfy { $0.fault == nil }, "\(whole.filter { $0.fault != nil })")
        let victim = whole[5]
        let found = try await findings("ggml f16", plant: "\(victim.kernel), \(victim.size)=\(name)")
        #expect(found.count == whole.count)
        #expect(found.filter { $0.fault != nil }.map(\.size) == [victim.size] && found[5].fault?.contains(name) == true)
        let report = KernelReport(cpu: "some", findings: found)
        #expect(
            report.text.contains("BAD   \(victim.kernel)")
                && report.text.contains("1 of \(Set(found.map(\.kernel)).count) kernels are broken"))
        #expect(report.json["healthy"]?.boolValue == false)
    }

    @Test("the first and the last case may die too")
    func ends() async throws {
        let whole = try await findings("ggml f32")
        for victim in [whole[0], whole[whole.count - 1]] {
            let found = try await findings("ggml f32", plant: "\(victim.kernel), \(victim.size)=SIGILL")
            #expect(
                found.filter { $0.fault != nil }.map { "\($0.kernel) \($0.size)" } == ["\(victim.kernel) \(victim.size)"]
                    && found.count == whole.count)
        }
    }

    @Test("a kernel that does not end is ended, and named")
    func hang() async throws {
        let program = try #require(Self.program, "omni is not built")
        let found = await KernelDoctor(executable: program, plant: "bf16 in CPU, product, 2 rows=hang", limit: .seconds(20)).run(
            "ggml bf16")
        let bad = found.filter { $0.fault != nil }
        #expect(
            bad.map { "\($0.kernel), \($0.size)" } == ["bf16 in CPU, product, 2 rows"] && bad.first?.fault?.contains("did not end") == true)
    }

    @Test("a program that is not there, or no such group, is a finding and no silence")
    func nothing() async throws {
        #expect(await KernelDoctor(executable: "/no/such/program").run("ggml f32").first?.fault?.contains("could not be started") == true)
        #expect(try await findings("ggml q99").first?.fault != nil)
    }
}
