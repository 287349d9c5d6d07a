import CLlama
import OmniDevices

/// The products of one type of weight, in each kind of memory that takes it, for few rows (decoding) and many (prompts).
final class ProductCases {
    /// One row and several take other kernels, and so do rows that fill a tile, those that are over, and those over a block of 64.
    static let rows = [1, 2, 7, 16, 25, 81, 512]
    /// Three blocks of 256, and outputs that fill tiles: what models have.
    static let inner = 768, outputs = 96
    private static let threads = 2

    private let type: WeightType
    private let weights: QuantizedWeights
    private let references: [ProductReference]
    /// The experts of each row, [rows][used].
    private let chosen: [Int32]

    init(_ type: WeightType) throws {
        ComputeDevice.loadBackends()
        self.type = type
        weights = try QuantizedWeights(type, inner: Self.inner, outputs: Self.outputs, seed: UInt64(type.raw.rawValue))
        let most = Self.rows.max() ?? 1, form = type.form
        // Rows are independent of each other: few are the first of many.
        references = [
            ProductReference(weights: weights, x: .exact(rows: most, inner: Self.inner, form: form, seed: 1), form: form),
            ProductReference(weights: weights, x: .ordinary(rows: most, inner: Self.inner, form: form, seed: 2), form: form),
        ]
        var numbers = Numbers(seed: 3)
        chosen = (0..<most).flatMap { _ -> [Int32] in
            let first = numbers.below(ProductGraph.experts), step = 1 + numbers.below(ProductGraph.experts - 1)
            return [Int32(first), Int32((first + step) % ProductGraph.experts)]
        }
    }

    var cases: [KernelCase] {
        get throws {
            let graph = try ProductGraph(threads: Self.threads)
            return try ProductGraph.Operation.allCases.flatMap { operation in
                let places = try graph.bufferTypes(for: type, inner: Self.inner, outputs: Self.outputs, operation)
                return places.enumerated().flatMap { order, place in
                    Self.rows.map { rows in
                        KernelCase(
                            kernel: "\(type.name) in \(place.name), \(operation.rawValue)", size: rows == 1 ? "1 row" : "\(rows) rows",
                            isPicked: order == 0
                        ) {
                            try self.check(rows, in: place, operation, isSpoilt: $0)
                        }
                    }
                }
            }
        }
    }

    private func check(_ rows: Int, in place: BufferType, _ operation: ProductGraph.Operation, isSpoilt: Bool) throws -> KernelCase.Outcome
    {
        let graph = try ProductGraph(threads: Self.threads)
        let chosen = operation == .experts ? Array(chosen.prefix(rows * ProductGraph.used)) : nil
        let places = chosen.map { sums(of: $0) }
        return try references.map { reference in
            var found = try graph.run(weights, in: place, x: reference.x.values.prefix(rows * Self.inner), chosen: chosen)
            if isSpoilt { found[0] -= reference.term(of: places?[0] ?? 0) }
            return reference.judge(found, places: places)
        }.reduce(KernelCase.Outcome(share: 0)) { $0.joined($1) }
    }

    /// Where the sums of the chosen experts stand among those of all.
    private func sums(of chosen: [Int32]) -> [Int64] {
        let each = Self.outputs / ProductGraph.experts
        return chosen.enumerated().flatMap { place, expert in
            (0..<each).map { Int64(place / ProductGraph.used * Self.outputs + Int(expert) * each + $0) }
        }
    }
}
