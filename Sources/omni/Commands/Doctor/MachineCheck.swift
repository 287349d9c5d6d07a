import Foundation
import OmniAPI
import OmniEngine
import OmniModels

/// CPU, memory and disk.
struct MachineCheck {
    let locations: ModelLocations

    func run() -> [Finding] { [Self.cpu(), memory()] + disks() }

    /// The vector instructions that decide how fast ggml is here.
    static func cpu() -> Finding {
        let processors = Processors.current
        guard let info = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else {
            return .fine("cpu", Self.text(processors.cores.count, quota: processors.quota))
        }
        return Self.cpu(info: info, cores: processors.cores.count, quota: processors.quota)
    }

    /// The cores that the program may use, and what a container leaves of their time.
    private static func text(_ cores: Int, quota: Double?) -> String {
        "\(cores) \(cores == 1 ? "core" : "cores")"
            + (quota.map { " (a control group allows the time of \(String(format: "%.2g", $0)))" } ?? "")
    }

    static func cpu(info: String, cores: Int, quota: Double? = nil) -> Finding {
        func field(_ names: [String]) -> String? {
            info.split(separator: "\n").lazy.compactMap { line -> String? in
                let pair = line.split(separator: ":", maxSplits: 1)
                guard pair.count == 2, names.contains(pair[0].trimmingCharacters(in: .whitespaces)) else { return nil }
                return pair[1].trimmingCharacters(in: .whitespaces)
            }.first
        }
        let flags = Set((field(["flags", "Features"]) ?? "").split(separator: " ").map(String.init))
        let matter = [
            "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_bf16", "asimd", "asimddp", "i8mm",
            "bf16", "sve",
        ]
        let have = matter.filter(flags.contains)
        let detail =
            "\(field(["model name", "Model"]) ?? "unknown"), \(text(cores, quota: quota)), \(have.isEmpty ? "no vector extensions that matter" : have.joined(separator: " "))"
        guard flags.contains("avx2") || flags.contains("asimd") else {
            return .warning(
                "cpu", detail,
                remedy: "Without AVX2 or NEON everything runs many times slower; use another machine for more than tiny models.")
        }
        return .fine("cpu", detail)
    }

    private func memory() -> Finding { Self.memory(.current) }

    static func memory(_ budget: MemoryBudget) -> Finding {
        let limit = byteText(Int64(budget.limit)) + (budget.source.map { " (the limit in \($0))" } ?? "")
        let detail = limit + (budget.available.map { ", \(byteText(Int64($0))) of it available" } ?? "")
        if let available = budget.available, available < 1 << 30 {
            let raise = budget.source == nil ? "end other programs" : "raise the limit"
            return .warning("memory", detail, remedy: "Models need their size and more; \(raise), or serve smaller ones.")
        }
        return .fine("memory", detail)
    }

    private func disks() -> [Finding] {
        [("data folder", locations.home), ("Hub cache", locations.hubCache)].map { subject, folder in
            // The folder may not be there yet; its disk is.
            var place = folder
            while !FileManager.default.fileExists(atPath: place.path), place.path != "/" { place = place.deletingLastPathComponent() }
            guard let free = HubConfiguration.systemFreeSpace(place) else {
                return .warning(subject, "\(folder.path): its disk does not tell its space", remedy: nil)
            }
            let detail = "\(folder.path), \(byteText(free)) free"
            if !FileManager.default.isWritableFile(atPath: place.path) {
                let finding = "\(detail), not writable"
                return subject == "data folder"
                    ? .fault(subject, finding, remedy: "Change its owner, or set OMNI_HOME to a folder of yours.")
                    : .warning(subject, finding, remedy: "omni models pull needs it; set HF_HOME to a folder of yours.")
            }
            if free < 64 << 20 { return .fault(subject, detail, remedy: "The disk is full: free some space.") }
            if free < 2 << 30 { return .warning(subject, detail, remedy: "Models need gigabytes.") }
            return .fine(subject, detail)
        }
    }
}

/// The models on this machine.
struct ModelsCheck {
    let inventory: ModelInventory

    func run() -> [Finding] {
        var findings: [Finding] = []
        let models = inventory.models
        if models.isEmpty {
            findings.append(
                .fault(
                    "models", "none found",
                    remedy: "`omni setup` fetches the starter models; omni models pull OWNER/NAME any other."))
        } else {
            findings.append(
                .fine("models", models.map { "\($0.reference) (\($0.kind.rawValue), \(byteText($0.size)))" }.joined(separator: "\n")))
        }
        for fault in inventory.faults where fault.fault != .unsupported {
            let missing = fault.missing.prefix(5).map { "\nmissing: \($0)" }.joined()
            findings.append(.fault("models", "\(fault.model): \(fault.problem)\(missing)", remedy: fault.remedy))
        }
        return findings
    }
}
