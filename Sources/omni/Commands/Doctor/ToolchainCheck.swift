import Foundation
import Subprocess

/// The programs that `swift build` and the engines use.
struct ToolchainCheck {
    func run() async -> [Finding] {
        guard let version = await Tool.output("swift", ["--version"]) else {
            // A server that is built needs no compiler.
            return [
                .warning("swift", "no Swift toolchain on PATH", remedy: "To build from source, install Swift 6.2 or later from swift.org.")
            ]
        }
        let line = version.split(separator: "\n").first { $0.contains("Swift version") }.map(String.init) ?? version
        guard let match = line.firstMatch(of: /Swift version (\d+)\.(\d+)/), let major = Int(match.output.1),
            let minor = Int(match.output.2)
        else {
            return [.warning("swift", "unknown version: \(line)", remedy: nil)]
        }
        if (major, minor) < (6, 2) { return [.fault("swift", line, remedy: "Install Swift 6.2 or later from swift.org.")] }
        return [.fine("swift", line.trimmingCharacters(in: .whitespaces))]
    }
}

/// Programs beside the server, as far as they matter for what is served.
struct ToolsCheck {
    let needsVoices: Bool
    /// Whether this is a checkout, whose set-up fetches with pip.
    let buildsHere: Bool

    func run() async -> [Finding] {
        var findings: [Finding] = []
        if let version = await Tool.output("espeak-ng", ["--version"]) {
            findings.append(.fine("espeak-ng", firstLine(version)))
        } else if needsVoices {
            findings.append(.fault("espeak-ng", "not found; voices need it to turn text into phonemes", remedy: Tool.install("espeak-ng")))
        }
        if let version = await Tool.output("ffmpeg", ["-version"]) {
            findings.append(.fine("ffmpeg", firstLine(version)))
        } else {
            findings.append(
                .warning("ffmpeg", "the program is not found; only video input of language models uses it", remedy: Tool.install("ffmpeg")))
        }
        if buildsHere, await Tool.output("python3", ["-m", "pip", "--version"]) == nil {
            findings.append(
                .warning(
                    "python3", "no python3 with pip; `make serve` fetches the native sources and starter models with it",
                    remedy: Tool.install("python3-pip")))
        }
        return findings
    }

    private func firstLine(_ text: String) -> String { text.split(separator: "\n").first.map(String.init) ?? "" }
}

/// Runs a program for its output.
enum Tool {
    /// What it printed; nil when it is not there, fails, or takes more than ten seconds.
    static func output(_ name: String, _ arguments: [String], environment: [Environment.Key: String?] = [:]) async -> String? {
        await withTaskGroup(of: String?.self) { group in
            group.addTask {
                let result = try? await Subprocess.run(
                    .name(name), arguments: Arguments(arguments), environment: .inherit.updating(environment),
                    output: .string(limit: 1 << 16),
                    error: .discarded)
                guard let result, result.terminationStatus.isSuccess else { return nil }
                return result.standardOutput
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(10))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    static func install(_ package: String) -> String {
        #if os(macOS)
            "brew install \(package == "python3-pip" ? "python3" : package)"
        #else
            "apt-get install \(package)"
        #endif
    }
}
