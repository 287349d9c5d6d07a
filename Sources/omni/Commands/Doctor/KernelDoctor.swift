import Foundation
import OmniAPI
import OmniDevices
import OmniKernelCheck
import Subprocess
import Synchronization
import SystemPackage

/// Checks every kernel in child processes: one that ends its process costs its own case, and the next child goes on after it.
struct KernelDoctor: Sendable {
    let executable: String
    /// A fault for the children to plant.
    var plant: String?
    /// Longest time that a case may take.
    var limit = Duration.seconds(120)

    func run() async -> [KernelFinding] {
        var findings: [KernelFinding] = []
        for group in KernelGroup.all { findings += await run(group.name) }
        for device in ComputeDevice.all where device.isGPU { findings += await run(KernelCheckCommand.devices + device.name) }
        return findings
    }

    func run(_ group: String) async -> [KernelFinding] {
        var findings: [KernelFinding] = []
        var after: String?
        while true {
            let child = await start(group, after: after)
            findings += child.findings
            guard let last = child.last, !child.isDone else {
                if !child.isDone {
                    findings.append(KernelFinding(kernel: group, size: "all", isPicked: true, fault: child.words ?? child.end))
                }
                return findings
            }
            after = last
        }
    }

    /// What a child said, up to its end.
    private struct Child {
        var findings: [KernelFinding] = []
        /// The case that was begun last.
        var last: String?
        var isDone = false
        /// How it ended, in words.
        var end = "it ended"
        /// The last that it said in plain words: what a library says before it aborts.
        var words: String?

        mutating func read(_ line: String) {
            guard line.hasPrefix("{"), let json = try? JSONValue.parse(line) else {
                if !line.isEmpty { words = line }
                return
            }
            if json["done"]?.boolValue == true { isDone = true }
            if let name = json["begin"]?.stringValue {
                last = name
                words = nil
                findings.append(
                    KernelFinding(
                        kernel: json["kernel"]?.stringValue ?? name, size: json["size"]?.stringValue ?? "",
                        isPicked: json["picked"]?.boolValue ?? false,
                        fault: "not finished"))
            }
            if json["end"]?.stringValue == last, let place = findings.indices.last {
                let share = json["share"]?.doubleValue ?? .infinity
                findings[place].share = share
                findings[place].seconds = json["seconds"]?.doubleValue
                findings[place].fault = share <= 1 ? nil : json["detail"]?.stringValue ?? "wrong numbers"
            }
        }

        mutating func close() {
            guard let place = findings.indices.last, findings[place].share == nil else { return }
            findings[place].fault = words.map { "\(end): \($0)" } ?? end
        }
    }

    private func start(_ group: String, after: String?) async -> Child {
        var arguments = ["kernel-check", group]
        if let after { arguments += ["--after", after] }
        if let plant { arguments += ["--plant", plant] }
        let heard = Heard()
        do {
            let result = try await Subprocess.run(
                .path(FilePath(executable)), arguments: Arguments(arguments),
                environment: .inherit.updating(["GOMP_SPINCOUNT": "300", "SWIFT_BACKTRACE": "enable=no"]),
                input: .none, output: .sequence, error: .discarded
            ) { execution in
                let watchdog = Task {
                    while !Task.isCancelled {
                        try await Task.sleep(for: .milliseconds(200))
                        guard heard.isOverdue(limit) else { continue }
                        return try execution.send(signal: .kill)
                    }
                }
                defer { watchdog.cancel() }
                var rest: [UInt8] = []
                for try await chunk in execution.standardOutput {
                    rest += chunk.withUnsafeBytes { Array($0) }
                    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                        let line = String(decoding: rest[..<end], as: UTF8.self)
                        heard.read(line)
                        rest.removeSubrange(...end)
                    }
                }
                heard.read(String(decoding: rest, as: UTF8.self))
            }
            switch result.terminationStatus {
            case _ where heard.wasOverdue: return heard.closed("it did not end within \(limit)")
            case .exited(let code): return heard.closed("its process ended with status \(code)")
            case .signaled(let number): return heard.closed("its process died of \(Self.name(number))")
            }
        } catch {
            return heard.closed("it could not be started: \(error)")
        }
    }

    /// What has come from a child so far, and when.
    private final class Heard: Sendable {
        private let state = Mutex((child: Child(), lastWord: ContinuousClock.now, wasOverdue: false))

        var wasOverdue: Bool { state.withLock { $0.wasOverdue } }

        func read(_ line: String) {
            state.withLock { state in
                state.lastWord = .now
                state.child.read(line)
            }
        }

        func isOverdue(_ limit: Duration) -> Bool {
            state.withLock { state in
                if ContinuousClock.now - state.lastWord > limit { state.wasOverdue = true }
                return state.wasOverdue
            }
        }

        /// The case that was under way when the process ended takes the blame.
        func closed(_ end: String) -> Child {
            state.withLock { state in
                state.child.end = end
                state.child.close()
                return state.child
            }
        }
    }

    private static func name(_ signal: Int32) -> String {
        switch signal {
        case SIGILL: "SIGILL (an instruction that this CPU does not take)"
        case SIGSEGV: "SIGSEGV (memory that is not its own)"
        case SIGABRT: "SIGABRT (an assertion)"
        case SIGBUS: "SIGBUS (memory out of reach)"
        case SIGFPE: "SIGFPE (bad arithmetic)"
        case SIGTRAP: "SIGTRAP (a check of its own)"
        default: "signal \(signal)"
        }
    }
}
