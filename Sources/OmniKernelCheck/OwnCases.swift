import CKernelReference
import CLlama
import CTensor

/// Our own kernels in one variant, for one kind of CPU.
struct OwnCases {
    /// A variant that this CPU runs.
    struct Variant: Sendable {
        let number: Int32
        let name: String
        var canRound: Bool { ct_can_round(number) != 0 }
        var isPicked: Bool { number == ct_best_variant() }

        static var all: [Variant] {
            (0..<ct_variant_count()).compactMap { number in
                guard ct_variant_runs(number) != 0, let name = ct_variant_name(number) else { return nil }
                return Variant(number: number, name: String(cString: name))
            }
        }
    }

    /// Parts that each call is cut into, as threads would share it.
    static let parts: Int32 = 3
    let variant: Variant

    var cases: [KernelCase] {
        get throws { try productCases + attentionCases + convolutionCases + normCases + snakeCases + modulationCases }
    }

    func makeCase(_ kernel: String, _ size: String, _ run: @escaping (Bool) throws -> KernelCase.Outcome) -> KernelCase {
        KernelCase(kernel: "own \(variant.name), \(kernel)", size: size, isPicked: variant.isPicked, run: run)
    }

    /// Compares with what is wanted, each number within `share` of its size.
    static func judge(_ found: [Float], _ wanted: [Double], sizes: [Double], share: Double, isSpoilt: Bool) -> KernelCase.Outcome {
        var found = found
        // A term or a weight that was lost.
        if isSpoilt { found[found.count / 2] += Float(sizes[found.count / 2] / 16) }
        let verdict = ckr_compare(found, wanted, sizes.map { $0 * share }, nil, nil, Int64(found.count))
        let place = Int(verdict.place)
        return .init(
            share: verdict.worst, detail: verdict.worst > 1 ? "number \(place): \(found[place]) instead of \(Float(wanted[place]))" : nil)
    }

    /// The upper halves: bf16, of numbers that have no more bits.
    static func halves(_ values: [Float]) -> [UInt16] { values.map { UInt16($0.bitPattern >> 16) } }

    /// What a bf16 stands for.
    static func values(_ halves: [UInt16]) -> [Float] { halves.map { Float(bitPattern: UInt32($0) << 16) } }

    /// Numbers of eight bits, which bf16 holds.
    static func numbers(_ count: Int, seed: UInt64) -> [Float] {
        var numbers = Numbers(seed: seed)
        return (0..<count).map { _ in Float(numbers.below(255) - 127) / 64 }
    }
}
