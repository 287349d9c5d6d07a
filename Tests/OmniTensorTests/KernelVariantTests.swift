import CTensor
import OmniEngine
import Testing

@testable import OmniTensor

/// Which kernels compute, and how their speed becomes known.
@Suite struct KernelVariantTests {
    @Test func everyCPUHasOneAndTheTilesInPlainC() throws {
        #expect(KernelVariant.runnable.contains(.fastest))
        #expect(Set(KernelVariant.all.map(\.name)).count == KernelVariant.all.count)
        #expect(try KernelVariant.named("amx-emulated").rounds)
        #expect(try KernelVariant.named("baseline") == .plainest && KernelVariant.plainest.runs)
        // Tests want it; nobody else does.
        #expect(KernelVariant.fastest.name != "amx-emulated")
    }

    @Test func theEnvironmentChooses() throws {
        #expect(try KernelVariant.chosen(environment: ["OMNI_CPU": "AMX-Emulated"]).name == "amx-emulated")
        #expect(try KernelVariant.chosen(environment: ["OMNI_CPU": ""]) == KernelVariant(index: ct_current_variant()))
        for name in ["pentium"] + KernelVariant.all.filter({ !$0.runs }).map(\.name) {
            let error = #expect(throws: TensorError.self) { try KernelVariant.chosen(environment: ["OMNI_CPU": name]) }
            let message = "\(error.map(String.init(describing:)) ?? "")"
            #expect(message.contains("OMNI_CPU is \(name)") && KernelVariant.runnable.allSatisfy { message.contains($0.name) })
        }
    }

    @Test func whatCannotRunIsNotTaken() {
        let before = ct_current_variant()
        for index in [-1, ct_variant_count()] + KernelVariant.all.filter({ !$0.runs }).map(\.index) { #expect(ct_use_variant(index) == 0) }
        #expect(ct_current_variant() == before)
        #expect(ct_variant_name(-1) == nil && ct_variant_name(ct_variant_count()) == nil)
    }

    @Test func theFirstMeasurementCountsAlone() {
        let throughput = KernelThroughput(exact: 1e9, rounded: 2e9)
        #expect(throughput.rate(.product) == 1e9)
        throughput.learn(.product, operations: 4e9, seconds: 0.1)
        #expect(throughput.rate(.product) == 4e10)
        // Interrupted once.
        throughput.learn(.product, operations: 4e9, seconds: 10)
        #expect(throughput.rate(.product) > 2.5e10)
        #expect(throughput.rate(.attention) == 0.5e9)
        #expect(abs(throughput.takeSeconds() - 10.1) < 1e-9 && throughput.takeSeconds() == 0)
    }

    @Test(arguments: [(1, 1, 1), (100, 7, 1), (1000, 64, 64), (130, 64, 64), (5, 100, 8), (4096, 4096, 192)])
    func stripsAreAlike(_ c: (count: Int, most: Int, granularity: Int)) {
        let step = Graph.evenStep(c.count, most: c.most, granularity: c.granularity)
        let sizes = stride(from: 0, to: c.count, by: step).map { min(step, c.count - $0) }
        #expect(sizes.reduce(0, +) == c.count && step % c.granularity == 0 && (sizes.max() ?? 0) <= max(c.most, c.granularity))
        // No more than are needed.
        #expect(sizes.count == 1 || sizes.count <= (c.count - 1) / (max(c.most, c.granularity) / c.granularity * c.granularity) + 1)
    }

    /// Strips of one graph: more of them where a kernel was seen to be slow, none longer than it should be.
    @Test func slowKernelsAreCutShorter() throws {
        let backend = try Backend(threads: 2, useGPU: false)
        func strips(_ rate: Double) throws -> Int {
            backend.throughput.learn(.product, operations: rate, seconds: 1)
            var count = 0
            _ = try Executor(backend).price { graph in
                let y = try graph.linear(graph.placeholder([512, 64], .f32), graph.placeholder([512, 4096], .f32))
                count = graph.strips.count
                #expect(graph.strips.values.allSatisfy { $0.expectedSeconds < 1.01 * KernelThroughput.stripSeconds })
                return [y]
            }
            return count
        }
        // 268 million operations.
        #expect(try strips(1e12) == 1)
        for _ in 0..<40 { backend.throughput.learn(.product, operations: 2e9, seconds: 1) }
        #expect(try strips(2e9) >= 8)
    }
}
