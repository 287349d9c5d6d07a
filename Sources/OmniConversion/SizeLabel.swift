import Foundation

/// How many parameters a model has, in words: `1.5B`, or `128x3.3B` for one with experts.
enum SizeLabel {
    static func text(_ tensors: [TensorPlan]) -> String {
        let stacked = tensors.filter { $0.name.contains("_exps.") }
        let experts = stacked.first?.shape.last ?? 0
        let shared = tensors.filter { !$0.name.contains("_exps.") }.reduce(0) { $0 + $1.count }
        guard experts > 0 else { return rounded(shared) }
        return "\(experts)x\(rounded(shared + stacked.reduce(0) { $0 + $1.count / max($1.shape.last ?? 1, 1) }))"
    }

    private static func rounded(_ count: Int) -> String {
        let units = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")]
        let (size, unit) = units.first { Double(count) > $0.0 } ?? (1e3, "K")
        let value = Double(count) / size
        return String(format: value.rounded() >= 10 ? "%.0f" : "%.1f", value) + unit
    }
}
