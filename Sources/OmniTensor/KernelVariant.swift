import CTensor
import Foundation

/// The kernels of `CTensor` as compiled for one kind of CPU.
///
/// The fastest that runs here is taken, unless `OMNI_CPU` names another. A ``Backend`` keeps its variant for good: weights that were
/// packed for one are laid out otherwise for the next.
public struct KernelVariant: Sendable, Hashable, CustomStringConvertible {
    /// Its number in the C functions.
    public let index: Int32

    /// What `OMNI_CPU` calls it: `baseline`, `avx512`, `avx512bf16` or `amx` on x86-64, `neon` or `neon-bf16` on arm64; and
    /// `amx-emulated`, the tile kernels in plain C, which tests use.
    public var name: String { ct_variant_name(index).map { String(cString: $0) } ?? "" }

    /// Whether this CPU and its system can run it.
    public var runs: Bool { ct_variant_runs(index) != 0 }

    /// Whether it multiplies pairs of bf16, so that rounding is faster than not.
    public var rounds: Bool { ct_can_round(index) != 0 }

    public var description: String { name }

    /// All that were compiled for this architecture, slowest first.
    public static let all = (0..<ct_variant_count()).map { KernelVariant(index: $0) }

    /// Those of them that run here.
    public static var runnable: [KernelVariant] { all.filter(\.runs) }

    /// The fastest that runs here.
    public static var fastest: KernelVariant { KernelVariant(index: ct_best_variant()) }

    /// What every CPU of this architecture runs: what is left when faster kernels are not trusted.
    public static var plainest: KernelVariant { all.first { $0.name != "amx-emulated" } ?? fastest }

    /// The variant of that name; `baseline` is the plainest on every architecture.
    ///
    /// - Throws: ``TensorError/kernels(name:runnable:exists:)`` for a name that is unknown or does not run here.
    public static func named(_ name: String) throws -> KernelVariant {
        let found = all.first { $0.name == name.lowercased() } ?? (name.lowercased() == "baseline" ? plainest : nil)
        guard let found, found.runs else { throw TensorError.kernels(name: name, runnable: runnable.map(\.name), exists: found != nil) }
        return found
    }

    /// What this process computes with: what `OMNI_CPU` names, else the fastest, or what `ct_use_variant` chose.
    ///
    /// - Throws: as ``named(_:)``.
    public static func chosen(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> KernelVariant {
        guard let name = environment["OMNI_CPU"], !name.isEmpty else { return KernelVariant(index: ct_current_variant()) }
        return try named(name)
    }
}
