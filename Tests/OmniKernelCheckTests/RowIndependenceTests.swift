import CLlama
import OmniDevices
import Testing

@testable import OmniKernelCheck

/// Rows of one batch belong to different users: what one gets must not depend on who else asks. The kernels for AMX are ours
/// (scripts/patches/amx-tile-rows.patch); they take other paths for one row, up to eight, and more.
@Suite("A row among others")
struct RowIndependenceTests {
    private static let inner = 768, outputs = 96, most = 81

    /// The kinds of weights that have tile kernels on this CPU.
    private static let types: [WeightType] = {
        ComputeDevice.loadBackends()
        guard let graph = try? ProductGraph(threads: 1) else { return [] }
        return WeightTypes.all.filter { tiles(for: $0, graph) != nil }
    }()

    private static func tiles(for type: WeightType, _ graph: ProductGraph) -> BufferType? {
        try? graph.bufferTypes(for: type, inner: inner, outputs: outputs, .product).first { $0.name == "AMX" }
    }

    @Test(
        "gives the same bits alone and in a batch of any size",
        .enabled(if: !types.isEmpty, "this CPU has no AMX: its kernels for rows were not tested"), arguments: types, [1, 2])
    func rows(type: WeightType, threads: Int) throws {
        let graph = try ProductGraph(threads: threads)
        let place = try #require(Self.tiles(for: type, graph))
        let weights = try QuantizedWeights(type, inner: Self.inner, outputs: Self.outputs, seed: 11)
        let x = Activations.ordinary(rows: Self.most, inner: Self.inner, form: type.form, seed: 5).values
        func product(_ rows: Range<Int>) throws -> [UInt32] {
            try graph.run(weights, in: place, x: x[rows.lowerBound * Self.inner..<rows.upperBound * Self.inner], chosen: nil).map(
                \.bitPattern)
        }
        let alone = try (0..<Self.most).flatMap { try product($0..<$0 + 1) }
        for count in [2, 3, 8, 9, 16, 17, 24, 25, 64, 65, Self.most] {
            // The last ones: they stand elsewhere in their tile than alone.
            let first = Self.most - count
            #expect(try product(first..<Self.most) == Array(alone[(first * Self.outputs)...]), "\(count) rows")
        }
    }
}
