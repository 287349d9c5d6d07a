import ArgumentParser
import Foundation
import OmniAPI
import OmniDevices
import OmniEngine
import OmniModels

/// `omni doctor`: looks at everything that a server here depends on, and says what to do about each fault.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check this machine: toolchain, native libraries, CPU, memory, disk, models, port.",
        discussion: "Exits with 1 when something is broken; warnings alone leave 0.")

    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Check every kernel on this CPU against its definition, and nothing else; about half a minute.") var kernels = false
    @Option(help: ArgumentHelp("Plant a fault in a kernel, to see it found.", visibility: .private)) var plant: String?
    @Option(help: "The port that the server would take.") var port = 8091
    @Option(help: ArgumentHelp("The data folder.", valueName: "folder")) var dataDir: String?

    func run() async throws {
        if kernels { return try await checkKernels() }
        let locations = ModelLocations.fromEnvironment(dataDirectory: dataDir)
        var findings: [Finding] = []
        let checkout = ModelLocations.checkout()
        if checkout != nil { findings += await ToolchainCheck().run() }
        findings += await NativeCheck(checkout: checkout).run()
        findings += MachineCheck(locations: locations).run()
        findings.append(KernelChoice.finding)
        findings.append(.fine("devices", DeviceList.lines.joined(separator: "\n")))
        let inventory = ModelInventory(ModelResolver(locations: locations))
        findings += ModelsCheck(inventory: inventory).run()
        findings += await ToolsCheck(needsVoices: inventory.models.contains { $0.kind == .speech }, buildsHere: checkout != nil).run()
        findings.append(await PortCheck(port: port).run())
        findings += await ServerCheck(port: port).run()
        print(json ? Finding.json(findings).jsonText : Finding.text(findings))
        if findings.contains(where: { $0.level == .fault }) { throw ExitCode(1) }
    }

    private func checkKernels() async throws {
        do { _ = try CPULibrary.chosen() } catch { throw Failure(error.description) }
        let report = KernelReport(
            cpu: MachineCheck.cpu().detail, findings: await KernelDoctor(executable: try OwnProgram.path(), plant: plant).run())
        print(json ? report.json.jsonText : report.text)
        if !report.faults.isEmpty { throw ExitCode(1) }
    }
}

/// One thing that the doctor looked at.
struct Finding: Sendable, Equatable {
    enum Level: String, Sendable { case fine, warning, fault }

    var level: Level
    /// What was looked at, in a word or two.
    var subject: String
    /// What was found.
    var detail: String
    /// What to do about it.
    var remedy: String?

    static func fine(_ subject: String, _ detail: String) -> Finding { Finding(level: .fine, subject: subject, detail: detail) }

    static func warning(_ subject: String, _ detail: String, remedy: String?) -> Finding {
        Finding(level: .warning, subject: subject, detail: detail, remedy: remedy)
    }

    static func fault(_ subject: String, _ detail: String, remedy: String?) -> Finding {
        Finding(level: .fault, subject: subject, detail: detail, remedy: remedy)
    }

    static func text(_ findings: [Finding]) -> String {
        let width = findings.map(\.subject.count).max() ?? 0
        var lines: [String] = []
        for finding in findings {
            let mark =
                switch finding.level {
                case .fine: "ok  ";
                case .warning: "warn";
                case .fault: "BAD "
                }
            let subject = finding.subject.padding(toLength: width, withPad: " ", startingAt: 0)
            let indent = String(repeating: " ", count: width + 8)
            lines.append("\(mark)  \(subject)  " + finding.detail.replacing("\n", with: "\n\(indent)"))
            if let remedy = finding.remedy { lines.append("\(indent)→ \(remedy)") }
        }
        let faults = findings.count { $0.level == .fault }, warnings = findings.count { $0.level == .warning }
        lines.append("")
        lines.append(faults + warnings == 0 ? "All is well." : "\(faults) broken, \(warnings) to know about.")
        return lines.joined(separator: "\n")
    }

    static func json(_ findings: [Finding]) -> JSONValue {
        let list = findings.map { finding in
            JSONValue.object(
                JSONObject([
                    ("level", .string(finding.level.rawValue)), ("subject", .string(finding.subject)), ("detail", .string(finding.detail)),
                    ("remedy", .string(finding.remedy)),
                ]))
        }
        return ["healthy": .bool(!findings.contains { $0.level == .fault }), "findings": .array(list)]
    }
}
