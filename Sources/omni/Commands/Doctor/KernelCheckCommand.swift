import ArgumentParser
import Foundation
import OmniAPI
import OmniDevices
import OmniKernelCheck
import OmniTensor

/// `omni kernel-check`: what `omni doctor --kernels` starts for each group of kernels.
struct KernelCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernel-check", abstract: "Checks one group of kernels in this process, for `omni doctor --kernels`.",
        shouldDisplay: false)

    @Argument(help: "The group, such as 'ggml q4_0'.") var group: String
    @Option(help: "Begin after this case.") var after: String?
    @Option(help: "Plant a fault: CASE=wrong, CASE=SIGILL, CASE=hang.") var plant: String?

    func run() throws {
        // What a library says before it aborts is read with the rest.
        dup2(1, 2)
        // Written through: the next kernel may end this process.
        func write(_ line: JSONValue) { FileHandle.standardOutput.write(Data(line.jsonBytes + [UInt8(ascii: "\n")])) }
        if group.hasPrefix(Self.devices) { return try check(ComputeDevice.named(String(group.dropFirst(Self.devices.count))), write) }
        try KernelRun(group: group, after: after, plant: plant.flatMap(Plant.init)).run(write: write)
    }

    /// What stands before the name of a device among the groups.
    static let devices = "device "

    /// Every operation of our graphs on a GPU.
    private func check(_ device: ComputeDevice, _ write: (JSONValue) -> Void) throws {
        func name(_ graph: String) -> String { "\(device.name) \(graph)" }
        _ = try OperationTable(device).run(after: after.map { String($0.dropFirst(device.name.count + 1)) }) { graph in
            write(["begin": .string(name(graph)), "kernel": .string(name(graph)), "size": "one", "picked": true])
        } end: { row in
            let left = row.missing.isEmpty ? "" : "; the CPU does \(row.missing.map(\.description).joined(separator: "; "))"
            let detail = row.error.map { "off the CPU's numbers by \($0)" } ?? "numbers that are none"
            let share = row.error.map { $0 / row.tolerance } ?? 1e9
            write(["end": .string(name(row.name)), "share": .number(share), "detail": .string(detail + left)])
        }
        write(["done": true])
    }
}
