import Foundation
import OmniEngine
import Testing

@testable import OmniTensor

/// Products and attention by our own kernels beside their definitions.
@Suite struct KernelTests {
    /// All that run here, with the tile kernels in plain C, which run everywhere.
    static let variants = KernelVariant.runnable

    static func numbers(_ count: Int, _ seed: Int) -> [Float] { VideoConvolutionTests.numbers(count, seed) }

    struct Product: CustomTestStringConvertible, Sendable {
        let inputs, outputs, rows: Int
        var testDescription: String { "\(inputs)→\(outputs) for \(rows) rows" }
    }

    // Full and broken panels, rows that do not fill a tile, more words than a panel has at once, threads that share panels or rows.
    static let products = [
        Product(inputs: 16, outputs: 16, rows: 16), Product(inputs: 6, outputs: 5, rows: 17), Product(inputs: 34, outputs: 97, rows: 23),
        Product(inputs: 2100, outputs: 50, rows: 16), Product(inputs: 40, outputs: 800, rows: 19),
        Product(inputs: 512, outputs: 70, rows: 33),
        Product(inputs: 768, outputs: 40, rows: 70),
    ]

    @Test(arguments: products, variants.flatMap { variant in [ElementType.f32, .bf16, .q8_0, .q4_0, .q4_k].map { (variant, $0) } })
    func productsAreTheirDefinition(_ product: Product, how: (kernels: KernelVariant, type: ElementType)) throws {
        let (kernels, type) = how
        guard product.inputs % type.blockSize == 0 else { return }
        let (inputs, outputs, rows) = (product.inputs, product.outputs, product.rows)
        // Few enough bits for bf16, so that nothing is rounded but sums.
        let x = Self.numbers(inputs * rows, 1).map { ($0 * 64).rounded() / 64 }
        let weight = Self.numbers(inputs * outputs, 2).map { ($0 * 64).rounded() / 64 }
        let bias = Self.numbers(outputs, 3)
        var reached = false
        // What is left of the weights; where blocks are decoded for products of bf16, they are rounded once more.
        let kept = try GraphTests.evaluate { try $0.cast($0.cast($0.input([inputs, outputs], weight), type), .f32) }
        let known = type.isQuantized && kernels.rounds ? VideoConvolutionTests.rounded(kept) : kept
        let values = try GraphTests.evaluate(kernels) { graph in
            let tensor = try graph.cast(graph.input([inputs, outputs], weight), type)
            let input = try graph.input([inputs, rows], x)
            reached = graph.canMultiply(input, tensor)
            return try graph.linear(input, tensor, bias: graph.input([outputs], bias))
        }
        #expect(reached == (!type.isQuantized || kernels.rounds || type != .q4_k && rows >= 64))
        let expected = (0..<rows).flatMap { row in
            (0..<outputs).map { output in
                (0..<inputs).reduce(Double(bias[output])) { $0 + Double(x[row * inputs + $1]) * Double(known[output * inputs + $1]) }
            }
        }
        // ggml quantizes the other side, too.
        let allowed = reached ? 1e-3 : 0.02 * Double(inputs).squareRoot()
        #expect(zip(values, expected).allSatisfy { abs(Double($0) - $1) < allowed })
    }

    /// What makes a batch worth having: a row is the same numbers in whatever company.
    @Test(arguments: variants, [ElementType.f32, .bf16]) func aRowDoesNotDependOnTheOthers(_ kernels: KernelVariant, type: ElementType)
        throws
    {
        let (x, weight) = (Self.numbers(64 * 50, 1), Self.numbers(64 * 70, 2))
        func run(_ rows: Range<Int>) throws -> [Float] {
            try GraphTests.evaluate(kernels) {
                try $0.linear(
                    $0.input([64, rows.count], Array(x[rows.lowerBound * 64..<rows.upperBound * 64])),
                    $0.cast($0.input([64, 70], weight), type))
            }
        }
        let whole = try run(0..<50)
        for places in [[0, 17, 50], [0, 2, 17, 34, 50], [0, 15, 30, 33, 50]] {
            let parts = try zip(places, places.dropFirst()).flatMap { try run($0..<$1) }
            #expect(parts == whole, "\(places)")
        }
    }

    struct Attention: CustomTestStringConvertible, Sendable {
        let head, heads, groups, tokens, others: Int
        var testDescription: String { "\(heads) heads of \(head) over \(groups), \(tokens) tokens to \(others)" }
    }

    // Heads that fill vectors or not, one block of keys or several, broken panels, the widest heads, queries in several chunks.
    static let attentions = [
        Attention(head: 16, heads: 2, groups: 2, tokens: 8, others: 48), Attention(head: 24, heads: 6, groups: 2, tokens: 37, others: 101),
        Attention(head: 5, heads: 1, groups: 1, tokens: 3, others: 1), Attention(head: 300, heads: 1, groups: 1, tokens: 9, others: 130),
        Attention(head: 8, heads: 1, groups: 1, tokens: 700, others: 97),
    ]

    @Test(
        arguments: attentions,
        variants.flatMap { variant in
            [(variant, false, .exact), (variant, true, .exact), (variant, true, .flash)] as [(KernelVariant, Bool, AttentionPrecision)]
        })
    func attentionIsItsDefinition(_ a: Attention, how: (kernels: KernelVariant, masked: Bool, precision: AttentionPrecision)) throws {
        let masked = how.masked
        let query = Self.numbers(a.head * a.heads * a.tokens, 1).map { 6 * $0 }
        let (keys, values) = (Self.numbers(a.head * a.groups * a.others, 2), Self.numbers(a.head * a.groups * a.others, 3))
        // Every token sees one other at least.
        let mask = Self.numbers(a.others * a.tokens * a.heads, 4).enumerated().map { place, number in
            number > 0.5 && place % a.others > 0 ? -Float.infinity : 3 * number
        }
        let attended = try GraphTests.evaluate(how.kernels) { graph in
            try graph.attention(
                query: graph.input([a.head, a.heads, a.tokens], query), keys: graph.input([a.head, a.groups, a.others], keys),
                values: graph.input([a.head, a.groups, a.others], values),
                mask: masked ? graph.input([a.others, a.tokens, a.heads], mask) : nil, precision: how.precision)
        }
        var expected: [Double] = []
        for token in 0..<a.tokens {
            for head in 0..<a.heads {
                let group = head / (a.heads / a.groups)
                let scores = (0..<a.others).map { other in
                    let product = (0..<a.head).reduce(0.0) {
                        $0 + Double(query[(token * a.heads + head) * a.head + $1]) * Double(keys[(other * a.groups + group) * a.head + $1])
                    }
                    return product / Double(a.head).squareRoot() + (masked ? Double(mask[(head * a.tokens + token) * a.others + other]) : 0)
                }
                let weights = scores.map { exp($0 - (scores.max() ?? 0)) }
                let sum = weights.reduce(0, +)
                for feature in 0..<a.head {
                    expected.append(
                        weights.enumerated().reduce(0.0) { $0 + $1.1 / sum * Double(values[($1.0 * a.groups + group) * a.head + feature]) })
                }
            }
        }
        // A score of 6 errs by a hundredth where both sides are rounded to bf16, and a weight with it.
        let allowed = how.precision == .flash && how.kernels.rounds ? 0.03 : 1e-5
        #expect(attended.count == expected.count && zip(attended, expected).allSatisfy { abs(Double($0) - $1) < allowed })
    }

    @Test func sequencesSeeTheirOwnTokensOnly() throws {
        let (head, heads) = (16, 2)
        func run(_ tokens: Range<Int>, _ sequences: [Int]) throws -> [Float] {
            try GraphTests.evaluate { graph in
                func part(_ seed: Int) throws -> Tensor {
                    let all = Self.numbers(head * heads * 30, seed)
                    return try graph.input(
                        [head, heads, tokens.count], Array(all[tokens.lowerBound * head * heads..<tokens.upperBound * head * heads]))
                }
                return try graph.attention(query: part(1), keys: part(2), values: part(3), sequences: sequences, precision: .exact)
            }
        }
        let together = try run(0..<30, [11, 19])
        let apart = try run(0..<11, [11]) + run(11..<30, [19])
        #expect(together == apart)
        #expect(throws: TensorError.self) { try run(0..<30, [11, 18]) }
    }

    // Groups that fill vectors or not, wide and narrow, one pixel and many.
    @Test(
        arguments: [(8, 2, 5, 3), (64, 4, 31, 17), (48, 16, 40, 1), (600, 2, 3, 3), (1536, 48, 7, 2)],
        variants.flatMap { [($0, false), ($0, true)] })
    func groupsAreNormalized(_ shape: (channels: Int, groups: Int, width: Int, height: Int), how: (kernels: KernelVariant, rounded: Bool))
        throws
    {
        let rounded = how.rounded
        let (channels, pixels, size) = (shape.channels, shape.width * shape.height, shape.channels / shape.groups)
        // A large mean: squares of the values themselves would drown what differs.
        let x = Self.numbers(channels * pixels, 1).map { $0 + 100 }
        let (weight, bias) = (Self.numbers(channels, 2), Self.numbers(channels, 3))
        let values = try GraphTests.evaluate(how.kernels) { graph in
            let normal = try graph.groupNorm(
                graph.input([channels, shape.width, shape.height], x), groups: shape.groups, weight: graph.input([channels], weight),
                bias: graph.input([channels], bias), epsilon: 1e-6, activated: true, type: rounded ? .bf16 : .f32)
            return try graph.cast(normal, .f32)
        }
        #expect(values.count == x.count)
        for group in 0..<shape.groups {
            let places = (0..<pixels).flatMap { pixel in (0..<size).map { pixel * channels + group * size + $0 } }
            let mean = places.reduce(0.0) { $0 + Double(x[$1]) } / Double(places.count)
            let variance = places.reduce(0.0) { $0 + (Double(x[$1]) - mean) * (Double(x[$1]) - mean) } / Double(places.count)
            let fits = places.allSatisfy { place in
                let y =
                    (Double(x[place]) - mean) / (variance + 1e-6).squareRoot() * Double(weight[place % channels])
                    + Double(bias[place % channels])
                return abs(y / (1 + exp(-y)) - Double(values[place])) < (rounded ? 0.01 : 1e-4)
            }
            #expect(fits, "group \(group)")
        }
    }
}
