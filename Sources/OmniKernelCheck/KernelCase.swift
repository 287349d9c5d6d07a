/// One thing that a kernel is asked to do, beside what it should come to.
///
/// Groups run in processes of their own and cases one after the other, so that a kernel that ends its process costs its own case.
public struct KernelCase {
    /// Which kernel for what, such as `q4_0 in CPU_REPACK, product`.
    public let kernel: String
    /// How much of it, such as `7 rows`.
    public let size: String
    /// Whether a model on this CPU would be computed with it; others run in safe mode, or for shapes that this one does not take.
    public let isPicked: Bool
    /// Computes and compares. Throws when the kernel refuses. `isSpoilt` loses one term of one sum on the way, to show that this is seen.
    let run: (_ isSpoilt: Bool) throws -> Outcome

    public var name: String { "\(kernel), \(size)" }

    /// How far a kernel was from its definition.
    struct Outcome: Sendable, Equatable {
        /// The largest error as a share of what is allowed; over 1 is a fault.
        var share: Double
        /// What is wrong, where `share` is over 1.
        var detail: String?

        /// The worse of two.
        func joined(_ other: Outcome) -> Outcome { other.share > share ? other : self }
    }
}

/// A kernel that could not be asked.
struct KernelRefusal: Error, CustomStringConvertible {
    let description: String
}

/// Cases that share a process and what is dear to make: quantized weights and their products in doubles.
public struct KernelGroup: Sendable {
    /// `ggml q4_0`, `own amx`.
    public let name: String
    let cases: @Sendable () throws -> [KernelCase]

    /// Every group of this build that this CPU can run.
    public static var all: [KernelGroup] {
        WeightTypes.all.map { type in KernelGroup(name: "ggml \(type.name)") { try ProductCases(type).cases } }
            + OwnCases.Variant.all.map { variant in KernelGroup(name: "own \(variant.name)") { try OwnCases(variant: variant).cases } }
    }
}
