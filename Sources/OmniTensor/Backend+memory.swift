import CLlama
import Foundation

extension Backend {
    /// Bytes that the device can still give; nil where nobody tells. On the CPU what Linux counts as available.
    public var availableBytes: Int? {
        guard isHost else {
            var (free, total) = (0, 0)
            guard let device = ggml_backend_get_device(handles[0]) else { return nil }
            ggml_backend_dev_memory(device, &free, &total)
            return free
        }
        guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
}
