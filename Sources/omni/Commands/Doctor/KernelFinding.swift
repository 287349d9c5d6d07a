import Foundation
import OmniAPI

/// How one case of a kernel went.
struct KernelFinding: Sendable, Equatable {
    var kernel: String
    var size: String
    /// Whether models on this CPU are computed with it.
    var isPicked: Bool
    /// The largest error as a share of what is allowed; nil where there are no numbers.
    var share: Double?
    var seconds: Double?
    /// What is wrong; nil when nothing is.
    var fault: String?

    var json: JSONValue {
        [
            "kernel": .string(kernel), "size": .string(size), "picked": .bool(isPicked), "share": share.map { .number($0) } ?? .null,
            "seconds": seconds.map { .number($0) } ?? .null, "fault": .string(fault),
        ]
    }
}

/// All findings, as a table or as JSON.
struct KernelReport: Sendable {
    let cpu: String
    let findings: [KernelFinding]

    var faults: [KernelFinding] { findings.filter { $0.fault != nil } }

    var json: JSONValue { ["healthy": .bool(faults.isEmpty), "cpu": .string(cpu), "kernels": .array(findings.map(\.json))] }

    /// One line for each kernel, and the faults of each size under it.
    var text: String {
        var order: [String] = [], groups: [String: [KernelFinding]] = [:]
        for finding in findings {
            if groups[finding.kernel] == nil { order.append(finding.kernel) }
            groups[finding.kernel, default: []].append(finding)
        }
        let width = order.map(\.count).max() ?? 0
        var lines = ["CPU: \(cpu)", "Kernels with * compute models here; the others serve safe mode and odd shapes.", ""]
        for kernel in order {
            let group = groups[kernel] ?? []
            let isFine = group.allSatisfy { $0.fault == nil }
            let name = (kernel + (group.contains(where: \.isPicked) ? " *" : "")).padding(toLength: width + 2, withPad: " ", startingAt: 0)
            let worst = group.compactMap(\.share).max().map { " largest error \(Self.percent($0)) of what is allowed" } ?? ""
            lines.append("\(isFine ? "ok  " : "BAD ")  \(name)  \(group.count) \(group.count == 1 ? "size, " : "sizes,")\(worst)")
            for finding in group { if let fault = finding.fault { lines.append("      \(finding.size): \(fault)") } }
        }
        lines.append("")
        let broken = Set(faults.map(\.kernel)).count
        lines.append(
            broken == 0
                ? "All \(order.count) kernels compute what they should."
                : "\(broken) of \(order.count) kernels are broken. OMNI_CPU=baseline in the server's environment goes round most; please report this table."
        )
        return lines.joined(separator: "\n")
    }

    private static func percent(_ share: Double) -> String { share > 100 ? "far over 100 %" : "\(Int((share * 100).rounded(.up))) %" }
}
