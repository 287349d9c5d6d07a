import Foundation
import OmniEngine
import Testing

@testable import OmniTensor

@Suite struct GraphTests {
    static func evaluate(_ kernels: KernelVariant? = nil, _ build: (Graph) throws -> Tensor) throws -> [Float] {
        try Executor(Backend(threads: 2, useGPU: false, kernels: kernels)).evaluate(ComputeScope()) { [try build($0)] }[0]
    }

    /// Inputs that are never written must not keep a graph: every request is measured.
    @Test func aMeasuredGraphIsGivenBack() throws {
        weak var seen: Graph?
        let price = try Executor(Backend(threads: 1, useGPU: false)).price { graph in
            seen = graph
            let x = try graph.input([4, 32], [])
            let products = try [ElementType.f32, .bf16].map { try graph.linear(x, graph.placeholder([4, 4], $0)) }
            let heads = try graph.reshape(products[0], [4, 1, 32])
            let vector = try graph.input([4], [])
            let normal = try graph.groupNorm(graph.reshape(products[1], [4, 8, 4]), groups: 2, weight: vector, bias: vector, epsilon: 1e-6)
            return [try graph.attention(query: heads, keys: heads, values: heads, precision: .exact), normal]
        }
        #expect(price.total > 0)
        #expect(seen == nil)
    }

    @Test func attentionTakesAMaskForEachHeadABiasAndAScale() throws {
        // One feature, two heads, two tokens, three others.
        func attend(mask: [Float]? = nil, bias: [Float]? = nil, scale: Float? = nil) throws -> [Float] {
            try Self.evaluate { graph in
                try graph.attention(
                    query: graph.input([1, 2, 2], [1, 1, 1, 1]), keys: graph.input([1, 2, 3], [1, 1, 2, 2, 3, 3]),
                    values: graph.input([1, 2, 3], [1, 10, 2, 20, 3, 30]), mask: mask.map { mask in try graph.input([3, 2, 2], mask) },
                    bias: bias.map { bias in try graph.input([3], bias) }, scale: scale, precision: .exact)
            }
        }
        let none: Float = -.infinity
        // The first head's first token sees the first of the others, its second token the second; the second head sees the last.
        let masked = try attend(mask: [0, none, none, none, 0, none, none, none, 0, none, none, 0])
        #expect(masked == [1, 30, 2, 30])
        #expect(try attend(bias: [none, 0, none]) == [2, 20, 2, 20])
        let flat = try attend(scale: 0)
        #expect(zip(flat, [2, 20, 2, 20]).allSatisfy { abs($0 - $1) < 1e-4 })
        #expect(throws: TensorError.self) { try attend(bias: [0, 0]) }
    }

    @Test func geluIsItsFormula() throws {
        let values: [Float] = [-30, -3, -1, -0.01, 0, 0.5, 2, 30]
        let expected = values.map { x in 0.5 * x * (1 + tanh((2 / Float.pi).squareRoot() * (x + 0.044715 * x * x * x))) }
        let exact = try Self.evaluate { try $0.gelu($0.input([8], values), precision: .exact) }
        #expect(zip(exact, expected).allSatisfy { abs($0 - $1) < 1e-5 })
        let gated = try Self.evaluate { try $0.gatedGELU(gate: $0.input([8], values), up: $0.input([8], values), precision: .exact) }
        #expect(zip(gated, zip(expected, values).map { $0 * $1 }).allSatisfy { abs($0 - $1) < 1e-3 })
    }

    @Test func linearIsAProductOfMatrices() throws {
        // x is two tokens of three features; the weight has two outputs.
        let values = try Self.evaluate { graph in
            try graph.linear(
                graph.input([3, 2], [1, 2, 3, 4, 5, 6]), graph.input([3, 2], [1, 0, 0, 0, 1, 1]), bias: graph.input([2], [10, 20]))
        }
        #expect(values == [11, 25, 14, 31])
    }

    @Test func portionsJoinToTheWhole() throws {
        let input = (0..<200).map { Float($0) }
        let values = try Self.evaluate { graph in
            try graph.chunked(of: graph.input([2, 100], input), axis: 1, cost: graph.nodeBudget / 20) { try graph.scale($0, by: 2) }
        }
        #expect(values == input.map { $0 * 2 })
    }

    @Test func flashAttentionIsCloseToExact() throws {
        func run(_ precision: AttentionPrecision) throws -> [Float] {
            try Self.evaluate { graph in
                func part(_ seed: Int, _ heads: Int, _ tokens: Int) throws -> Tensor {
                    try graph.input(
                        [32, heads, tokens], (0..<32 * heads * tokens).map { Float(($0 * 7919 + seed * 104_729) % 1009) / 504.5 - 1 })
                }
                return try graph.attention(query: part(1, 4, 24), keys: part(2, 2, 40), values: part(3, 2, 40), precision: precision)
            }
        }
        let (exact, flash) = (try run(.exact), try run(.flash))
        #expect(zip(exact, flash).allSatisfy { abs($0 - $1) < 5e-3 })
    }

    @Test func shapesThatDoNotFitAreToldApart() throws {
        let error = #expect(throws: TensorError.self) {
            try Self.evaluate { graph in try graph.linear(graph.input([3, 2], []), graph.input([4, 2], [])) }
        }
        #expect(error == .shape(operation: "linear", reason: "weight [4, 2] for [3, 2]"))
        #expect(throws: TensorError.self) { try Self.evaluate { try $0.reshape($0.input([6], []), [4, 2]) } }
        #expect(throws: TensorError.self) { try Self.evaluate { try $0.slice($0.input([6], []), axis: 0, 4..<9) } }
        #expect(throws: TensorError.self) { try Self.evaluate { try $0.input([2, 3], [1, 2]) } }
        #expect(throws: TensorError.tooManyNodes(capacity: 64)) {
            try Executor(Backend(threads: 1, useGPU: false), capacity: 64).evaluate(ComputeScope()) { graph in
                var x = try graph.input([1], [1])
                while true { x = try graph.scale(x, by: 2) }
            }
        }
    }

    /// So that pricing what is far too large takes no time.
    @Test func moreNodesThanThereArePlacesForAreRefusedBeforeTheFirst() throws {
        var parts = 0
        #expect(throws: TensorError.tooManyNodes(capacity: 64)) {
            try Executor(Backend(threads: 1, useGPU: false), capacity: 64).price { graph in
                [
                    try graph.chunked(of: graph.input([4, 1000], []), axis: 1, step: 10) { part in
                        parts += 1
                        return part
                    }
                ]
            }
        }
        #expect(parts == 0)
    }

    /// A lane that counts, and may cancel a token when it is given back.
    final class CountingLane: ComputeLane {
        let count = Counter()
        let cancels: CancellationToken?
        init(cancels: CancellationToken? = nil) { self.cancels = cancels }
        func acquire() { count.change { $0 += 1 } }
        func release() { cancels?.cancel() }
    }

    static func longGraph(_ graph: Graph) throws -> [Tensor] {
        let side = 512
        var x = try graph.input([side, side], [Float](repeating: 0.001, count: side * side))
        let weight = x
        for _ in 0..<200 { x = try graph.linear(x, weight) }
        return [x]
    }

    @Test func longGraphsGiveTheLaneBack() throws {
        let lane = CountingLane()
        _ = try Executor(Backend(threads: 2, useGPU: false)).evaluate(ComputeScope(lane: lane), Self.longGraph)
        #expect(lane.count.value > 3)
    }

    @Test func cancellationStopsBetweenSlices() throws {
        let token = CancellationToken()
        let lane = CountingLane(cancels: token)
        #expect(throws: CancellationError.self) {
            try Executor(Backend(threads: 2, useGPU: false)).evaluate(ComputeScope(lane: lane, cancellation: token), Self.longGraph)
        }
        #expect(lane.count.value <= 2)
    }

    @Test func aPriceIsAtLeastItsLargestTensors() throws {
        let executor = try Executor(Backend(threads: 1, useGPU: false))
        let price = try executor.price { graph in [try graph.scale(graph.input([1000, 1000], []), by: 2)] }.total
        #expect(price >= 4_000_000 && price < 20_000_000)
    }
}
