import CTensor
import Foundation
import OmniEngine
import Testing

@testable import OmniTensor

/// Layers over sounds beside their definitions.
@Suite struct LineTests {
    static func numbers(_ count: Int, _ seed: Int) -> [Float] { VideoConvolutionTests.numbers(count, seed) }

    /// Our kernels in each variant, and ggml's operations.
    static let backends: [KernelVariant?] = KernelTests.variants.map { $0 } + [nil]

    static func evaluate(_ kernels: KernelVariant?, _ build: (Graph) throws -> Tensor) throws -> [Float] {
        let backend = try Backend(threads: 2, useGPU: false, kernels: kernels ?? .plainest, ownKernels: kernels != nil)
        return try Executor(backend, capacity: 8192).evaluate(ComputeScope()) { [try build($0)] }[0]
    }

    struct Layer: CustomTestStringConvertible, Sendable {
        let inputs, outputs, positions, taps: Int
        var dilation = 1
        var padding = LinePadding.zeros
        var testDescription: String { "\(inputs)→\(outputs), \(taps) taps \(dilation) apart, \(padding), \(positions) positions" }

        func place(_ place: Int) -> Int? {
            let last = positions - 1
            if (0...last).contains(place) { return place }
            switch padding {
            case .zeros: return nil
            case .reflect: return place < 0 ? -place : 2 * last - place
            case .replicate: return min(max(place, 0), last)
            }
        }
    }

    // Channels that fill vectors and tiles or not, kernels wider than the line, more than the cache holds, several strips.
    static let layers = [
        Layer(inputs: 1, outputs: 1, positions: 9, taps: 7), Layer(inputs: 3, outputs: 5, positions: 40, taps: 3, dilation: 5),
        Layer(inputs: 64, outputs: 33, positions: 70, taps: 11, dilation: 3),
        Layer(inputs: 24, outputs: 24, positions: 33, taps: 11, dilation: 5),
        Layer(inputs: 6, outputs: 97, positions: 35, taps: 5, padding: .reflect),
        Layer(inputs: 4, outputs: 8, positions: 12, taps: 3, dilation: 4, padding: .reflect),
        Layer(inputs: 5, outputs: 3, positions: 2, taps: 7, padding: .replicate), Layer(inputs: 700, outputs: 40, positions: 37, taps: 11),
        Layer(inputs: 10, outputs: 12, positions: 20, taps: 1),
    ]

    static func reference(_ layer: Layer, x: [Float], kernel: [Float], bias: [Float]) -> [Float] {
        (0..<layer.positions).flatMap { position in
            (0..<layer.outputs).map { output in
                var sum = Double(bias[output])
                for tap in 0..<layer.taps {
                    guard let place = layer.place(position + (tap - layer.taps / 2) * layer.dilation) else { continue }
                    for input in 0..<layer.inputs {
                        sum += Double(kernel[(output * layer.inputs + input) * layer.taps + tap]) * Double(x[place * layer.inputs + input])
                    }
                }
                return Float(sum)
            }
        }
    }

    static func packed(_ kernel: [Float], taps: Int, inputs: Int, outputs: Int, group: Int = 1, _ kernels: KernelVariant?) -> (
        [Float], [Int]
    ) {
        guard let kernels else { return (kernel, [taps * inputs, outputs]) }
        let panels = WeightArrangement.panels(taps: taps, inputs: inputs, outputs: outputs, group: group, for: kernels)
        return (panels.apply(kernel, []), panels.shape([]))
    }

    @Test(arguments: layers, backends) func convolutionsAreTheirDefinition(_ layer: Layer, kernels: KernelVariant?) throws {
        let x = Self.numbers(layer.inputs * layer.positions, 1)
        let (kernel, bias) = (Self.numbers(layer.outputs * layer.inputs * layer.taps, 2), Self.numbers(layer.outputs, 3))
        let (values, shape) = Self.packed(kernel, taps: layer.taps, inputs: layer.inputs, outputs: layer.outputs, kernels)
        let found = try Self.evaluate(kernels) { graph in
            try graph.conv1d(
                graph.input([layer.inputs, layer.positions], x), kernel: graph.input(shape, values), outputs: layer.outputs,
                bias: graph.input([layer.outputs], bias), window: .same(taps: layer.taps, dilation: layer.dilation), padding: layer.padding)
        }
        let expected = Self.reference(layer, x: x, kernel: kernel, bias: bias)
        #expect(found.count == expected.count)
        let most = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(most < 1e-5 * Float(layer.inputs * layer.taps) + 1e-5)
    }

    @Test(arguments: layers.filter { $0.inputs % 2 == 0 && $0.padding == .zeros }, KernelTests.variants.filter(\.rounds))
    func roundedConvolutionsAreTheirDefinition(_ layer: Layer, kernels: KernelVariant) throws {
        let x = VideoConvolutionTests.rounded(Self.numbers(layer.inputs * layer.positions, 1))
        let kernel = VideoConvolutionTests.rounded(Self.numbers(layer.outputs * layer.inputs * layer.taps, 2))
        let bias = Self.numbers(layer.outputs, 3)
        let (values, shape) = Self.packed(kernel, taps: layer.taps, inputs: layer.inputs, outputs: layer.outputs, group: 2, kernels)
        let found = try Self.evaluate(kernels) { graph in
            try graph.conv1d(
                graph.input([layer.inputs, layer.positions], x), kernel: graph.cast(graph.input(shape, values), .bf16),
                outputs: layer.outputs,
                bias: graph.input([layer.outputs], bias), window: .same(taps: layer.taps, dilation: layer.dilation))
        }
        let expected = Self.reference(layer, x: x, kernel: kernel, bias: bias)
        let most = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(found.count == expected.count && most < 1e-5 * Float(layer.inputs * layer.taps) + 1e-5)
    }

    @Test(arguments: [(5, 11), (3, 7), (2, 4), (2, 2), (1, 3), (4, 12)], backends)
    func transposedConvolutionsAreTheirDefinition(_ how: (stride: Int, taps: Int), kernels: KernelVariant?) throws {
        let (stride, taps, inputs, outputs, positions) = (how.stride, how.taps, 6, 5, 7)
        let cut = (taps - stride) / 2
        let (x, kernel, bias) = (Self.numbers(inputs * positions, 1), Self.numbers(inputs * outputs * taps, 2), Self.numbers(outputs, 3))
        var whole = [Double](repeating: 0, count: outputs * ((positions - 1) * stride + taps))
        for position in 0..<positions {
            for tap in 0..<taps {
                for output in 0..<outputs {
                    for input in 0..<inputs {
                        whole[(position * stride + tap) * outputs + output] +=
                            Double(x[position * inputs + input]) * Double(kernel[(input * outputs + output) * taps + tap])
                    }
                }
            }
        }
        let expected = (0..<outputs * stride * positions).map { whole[cut * outputs + $0] + Double(bias[$0 % outputs]) }
        let phases = try LinePhases(taps: taps, stride: stride)
        let (wide, many) = (phases.window.taps, outputs * stride)
        let inner: WeightArrangement =
            kernels.map { .panels(taps: wide, inputs: inputs, outputs: many, group: 1, for: $0) }
            ?? .matrices(depth: 1, taps: wide, inputs: inputs, outputs: many)
        let arrangement = WeightArrangement.phases(phases, inputs: inputs, outputs: outputs, kernel: inner)
        let shape = arrangement.shape([])
        var values = [Float](repeating: .nan, count: shape.reduce(1, *))
        kernel.withUnsafeBytes { arrangement.apply($0.baseAddress!, bytes: $0.count, width: 4, into: &values) }
        let found = try Self.evaluate(kernels) { [values] graph in
            try graph.convTransposed1d(
                graph.input([inputs, positions], x), kernel: graph.input(shape, values), outputs: outputs,
                bias: graph.input([outputs], bias),
                taps: taps, stride: stride)
        }
        #expect(found.count == expected.count && zip(found, expected).allSatisfy { abs(Double($0) - $1) < 1e-5 })
        #expect(throws: TensorError.self) { try LinePhases(taps: 4, stride: 3) }
    }

    /// As the definition has it: zeros between positions, a filter, the activation, a filter, every second position.
    static func snake(_ x: [Float], _ channels: Int, _ frequency: [Float], _ magnitude: [Float], _ taps: [Float]) -> [Double] {
        let positions = x.count / channels
        var out = [Double](repeating: 0, count: x.count)
        for channel in 0..<channels {
            func value(_ place: Int) -> Double { Double(x[min(max(place, 0), positions - 1) * channels + channel]) }
            let waves = (0..<2 * positions).map { place -> Double in
                var sum = 0.0
                for source in -8..<positions + 8 where (0..<12).contains(place + 5 - 2 * source) {
                    sum += 2 * value(source) * Double(taps[place + 5 - 2 * source])
                }
                let sine = sin(sum * Double(frequency[channel]))
                return sum + Double(magnitude[channel]) * sine * sine
            }
            for position in 0..<positions {
                out[position * channels + channel] = (0..<12).reduce(0.0) {
                    $0 + Double(taps[$1]) * waves[min(max(2 * position + $1 - 5, 0), 2 * positions - 1)]
                }
            }
        }
        return out
    }

    // One position, fewer than the filter sees, several blocks; channels that fill vectors or not.
    @Test(arguments: [(1, 1), (3, 2), (24, 5), (16, 64), (33, 200), (48, 131)], backends)
    func snakeIsItsDefinition(_ size: (channels: Int, positions: Int), kernels: KernelVariant?) throws {
        let (channels, positions) = size
        let x = Self.numbers(channels * positions, 1).map { 4 * $0 }
        // Angles up to a thousand turns.
        let frequency = Self.numbers(channels, 2).map { exp(3 * $0) * ($0 > 0.9 ? 100 : 1) }
        let magnitude = Self.numbers(channels, 3).map { exp($0) }
        let filter = SnakeFilter()
        func run(_ type: ElementType) throws -> [Float] {
            try Self.evaluate(kernels) { graph in
                let active = try graph.snake(
                    graph.input([channels, positions], x), frequency: graph.input([channels], frequency),
                    magnitude: graph.input([channels], magnitude), filter: filter, type: type)
                return try graph.cast(active, .f32)
            }
        }
        let expected = Self.snake(x, channels, frequency, magnitude, filter.taps)
        // A float of a thousand turns knows its angle to a few ten thousandths.
        let found = try run(.f32)
        #expect(found.count == expected.count && zip(found, expected).allSatisfy { abs(Double($0) - $1) < 3e-3 })
        let calm = (0..<channels).filter { frequency[$0] < 25 }
        #expect(
            calm.allSatisfy { channel in
                (0..<positions).allSatisfy { abs(Double(found[$0 * channels + channel]) - expected[$0 * channels + channel]) < 2e-4 }
            })
        #expect(zip(try run(.bf16), found).allSatisfy { abs($0 - $1) <= abs($1) / 200 })
    }

    @Test func theFilterIsASincUnderKaisersWindow() {
        // transformers' `kaiser_sinc_filter1d(0.25, 0.3, 12)`, the first half.
        let known: [Float] = [0.0020289647, 0.0093894657, -0.025543459, -0.057657383, 0.12857258, 0.4432098]
        let taps = SnakeFilter().taps
        #expect(zip(taps, known + known.reversed()).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test func functionsAreTheirs() throws {
        let values: [Float] = [-3, -0.5, 0.25, 1, 2.5, 7]
        let above: [Float] = [0.01, 0.5, 1, 2, 9, 100]
        func run(_ input: [Float], _ body: (Graph, Tensor) throws -> Tensor) throws -> [Float] {
            try Self.evaluate(.fastest) { try body($0, $0.input([3, 2], input)) }
        }
        func near(_ found: [Float], _ expected: [Float]) -> Bool {
            found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) }
        }
        #expect(near(try run(values) { try $0.sin($1) }, values.map { sin($0) }))
        #expect(near(try run(values) { try $0.exp($1) }, values.map { exp($0) }))
        #expect(near(try run(above) { try $0.log($1) }, above.map { log($0) }))
        #expect(near(try run(above) { try $0.sqrt($1) }, above.map { $0.squareRoot() }))
        #expect(near(try run(values) { try $0.relu($1) }, values.map { max(0, $0) }))
        #expect(near(try run(values) { try $0.sigmoid($1) }, values.map { 1 / (1 + exp(-$0)) }))
        // What is clamped is a copy.
        #expect(near(try run(values) { graph, x in try graph.add(graph.clamp(x, -1...2), x) }, values.map { min(max($0, -1), 2) + $0 }))
        #expect(
            near(try run(values) { graph, x in try graph.subtract(x, graph.input([3, 1], [1, 2, 3])) }, [-4, -2.5, -2.75, 0, 0.5, 4]))
    }

    @Test(arguments: [0, 1]) func axesAreSummedUp(axis: Int) throws {
        let (rows, columns) = (4, 3)
        let x = Self.numbers(rows * columns, 1)
        /// Elements along the axis, for each place of the other.
        let lines =
            axis == 0
            ? (0..<rows).map { row in (0..<columns).map { row * columns + $0 } }
            : (0..<columns).map { column in (0..<rows).map { $0 * columns + column } }
        func run(_ body: (Graph, Tensor) throws -> Tensor) throws -> [Float] {
            try Self.evaluate(.fastest) { try body($0, $0.input([columns, rows], x)) }
        }
        let softmax = try run { try $0.softmax($1, axis: axis) }
        let mean = try run { try $0.mean($1, axis: axis) }
        let deviation = try run { graph, x in try graph.deviation(x, from: graph.mean(x, axis: axis), floor: 1e-12, axis: axis) }
        let weighted = try run { graph, x in try graph.mean(x, weights: graph.softmax(x, axis: axis), axis: axis) }
        for (index, line) in lines.enumerated() {
            let sum = line.reduce(0) { $0 + exp(x[$1]) }
            #expect(line.allSatisfy { abs(softmax[$0] - exp(x[$0]) / sum) < 1e-5 })
            let average = line.reduce(0) { $0 + x[$1] } / Float(line.count)
            #expect(abs(mean[index] - average) < 1e-5)
            let variance = line.reduce(0) { $0 + (x[$1] - average) * (x[$1] - average) } / Float(line.count)
            #expect(abs(deviation[index] - variance.squareRoot()) < 1e-5)
            #expect(abs(weighted[index] - line.reduce(0) { $0 + x[$1] * exp(x[$1]) / sum }) < 1e-5)
        }
        #expect(
            try run { graph, x in
                try graph.deviation(graph.scale(x, by: 0), from: graph.mean(graph.scale(x, by: 0), axis: axis), floor: 0.25, axis: axis)
            }.allSatisfy { $0 == 0.5 })
    }

    @Test(arguments: backends) func pairsOfTheFirstFeaturesTurn(kernels: KernelVariant?) throws {
        let (features, tokens) = (6, 3)
        let x = Self.numbers(features * tokens, 1)
        let found = try Self.evaluate(kernels) { graph in
            try graph.rotatePairs(graph.input([features, tokens], x), PairRotation(graph, positions: [0, 5, 100], divisors: [1, 40]))
        }
        for (token, position) in [0, 5, 100].enumerated() {
            for feature in 0..<features {
                let place = token * features + feature
                guard feature < 4 else { #expect(found[place] == x[place]); continue }
                let angle = Float(position) / (feature < 2 ? 1 : 40), other = x[place + (feature % 2 == 0 ? 1 : -1)]
                let expected = x[place] * cos(angle) + other * sin(angle) * (feature % 2 == 0 ? -1 : 1)
                #expect(abs(found[place] - expected) < 1e-4)
            }
        }
    }

    @Test(arguments: backends, [AttentionPrecision.exact, .flash]) func blocksSeeTheirNeighboursOnly(
        kernels: KernelVariant?, precision: AttentionPrecision
    ) throws {
        let (head, heads, sequences) = (16, 2, [20, 7])
        let tokens = sequences.reduce(0, +)
        func part(_ graph: Graph, _ seed: Int) throws -> Tensor {
            try graph.input([head, heads, tokens], Self.numbers(head * heads * tokens, seed))
        }
        for window in [
            BlockWindow(size: 6), BlockWindow(size: 6, back: 1), BlockWindow(size: 6, ahead: 1), BlockWindow(size: 4, back: 2, ahead: 1),
        ] {
            let found = try Self.evaluate(kernels) { graph in
                try graph.attention(
                    query: part(graph, 1), keys: part(graph, 2), values: part(graph, 3), sequences: sequences, blocks: window,
                    precision: precision)
            }
            var mask = [Float](repeating: -.infinity, count: tokens * tokens)
            for token in 0..<tokens {
                for other in 0..<tokens where (token < 20) == (other < 20) {
                    let start = token < 20 ? 0 : 20
                    let distance = (other - start) / window.size - (token - start) / window.size
                    if (-window.back...window.ahead).contains(distance) { mask[token * tokens + other] = 0 }
                }
            }
            let expected = try Self.evaluate(nil) { graph in
                try graph.attention(
                    query: part(graph, 1), keys: part(graph, 2), values: part(graph, 3), mask: graph.input([tokens, tokens], mask),
                    precision: .exact)
            }
            #expect(
                found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) < (precision == .exact ? 1e-4 : 2e-2) },
                "\(window)")
        }
    }

    @Test(arguments: backends, [3, 64, 83]) func rowsAreModulated(kernels: KernelVariant?, features: Int) throws {
        let rows = 5
        let (x, y) = (Self.numbers(features * rows, 1).map { $0 + 3 }, Self.numbers(features * rows, 2))
        let (scale, shift, gate) = (Self.numbers(features, 3), Self.numbers(features, 4), Self.numbers(features, 5))
        let found = try Self.evaluate(kernels) { graph in
            let normal = try graph.modulatedNorm(
                graph.input([features, rows], x), scale: graph.input([features], scale), shift: graph.input([features], shift),
                epsilon: 1e-6)
            let gated = try graph.addGated(normal, gate: graph.input([features], gate), graph.input([features, rows], y))
            return try graph.gelu(gated, precision: .exact)
        }
        for row in 0..<rows {
            let line = (0..<features).map { Double(x[row * features + $0]) }
            let mean = line.reduce(0, +) / Double(features)
            let variance = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(features)
            for feature in 0..<features {
                let place = row * features + feature
                let normal = (line[feature] - mean) / (variance + 1e-6).squareRoot() * Double(scale[feature]) + Double(shift[feature])
                let gated = normal + Double(gate[feature]) * Double(y[place])
                let gelu = 0.5 * gated * (1 + tanh((2 / Double.pi).squareRoot() * (gated + 0.044715 * gated * gated * gated)))
                #expect(abs(Double(found[place]) - gelu) < 2e-5)
            }
        }
    }

    @Test func faultsAreNamed() throws {
        #expect(throws: TensorError.self) {
            try Self.evaluate(.fastest) { try $0.padLine($0.input([2, 3], []), before: 3, after: 0, .reflect) }
        }
        #expect(throws: TensorError.self) {
            try Self.evaluate(.fastest) {
                try $0.conv1d($0.input([2, 3], []), kernel: $0.input([16, 2], []), outputs: 4, bias: nil, window: LineWindow(taps: 5))
            }
        }
        #expect(throws: TensorError.self) {
            try Self.evaluate(.fastest) {
                try $0.snake($0.input([2, 3], []), frequency: $0.input([3], []), magnitude: $0.input([2], []), filter: SnakeFilter())
            }
        }
    }
}
