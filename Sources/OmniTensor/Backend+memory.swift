import OmniDevices
import OmniEngine

extension Backend {
    /// Bytes that the device can still give; nil where nobody tells. On the CPU what the machine and its control groups leave.
    public var availableBytes: Int? {
        guard isHost else {
            let (free, total) = device.memory
            return total > 0 ? free : nil
        }
        return MemoryBudget.current.available
    }
}
