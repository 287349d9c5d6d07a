import OmniDevices
import OmniEngine

/// What `omni serve --list-devices` and `omni doctor` say of the devices.
enum DeviceList {
    static var lines: [String] {
        ComputeDevice.all.filter { $0.kind != .accelerator }.map { device in
            let (free, total) = device.budget
            return "\(device.name): \(device.summary) (\(total >> 20) MiB, \(free >> 20) MiB free)"
        }
    }

    static var text: String { (["Available devices:"] + lines.map { "  " + $0 }).joined(separator: "\n") }
}

extension ComputeDevice {
    /// Bytes that are free and that there are; of the CPU's memory what control groups leave, of which ggml does not know.
    var budget: (free: Int, total: Int) {
        guard kind == .cpu else { return memory }
        let budget = MemoryBudget.current
        return (budget.available ?? budget.limit, budget.limit)
    }
}
