import CTensor
import OmniEngine
import Testing

@testable import OmniTensor

/// The convolution over width, height and time beside its definition.
@Suite struct VideoConvolutionTests {
    struct Layer: CustomTestStringConvertible, Sendable {
        let channels, outputs, width, height, frames: Int
        let window: ConvolutionWindow
        var past = 0

        var testDescription: String { "\(channels)→\(outputs) at \(width)×\(height)×\(frames)" }
    }

    static let causal = ConvolutionWindow(size: 3, depth: 3, padding: 1, before: 2)
    static let layers: [Layer] = [
        Layer(channels: 3, outputs: 5, width: 7, height: 4, frames: 3, window: causal),
        Layer(channels: 3, outputs: 5, width: 7, height: 4, frames: 3, window: causal, past: 1),
        Layer(channels: 17, outputs: 97, width: 19, height: 3, frames: 1, window: causal, past: 2),
        Layer(channels: 5, outputs: 33, width: 3, height: 5, frames: 4, window: causal, past: 2),
        Layer(channels: 4, outputs: 48, width: 1, height: 1, frames: 2, window: causal, past: 2),
        Layer(channels: 6, outputs: 16, width: 9, height: 2, frames: 2, window: ConvolutionWindow()),
        Layer(channels: 3, outputs: 50, width: 5, height: 3, frames: 2, window: ConvolutionWindow(size: 3, padding: 1, doubles: true)),
        Layer(
            channels: 4, outputs: 4, width: 10, height: 6, frames: 2, window: ConvolutionWindow(size: 3, stride: 2, padding: 0, trailing: 1)
        ),
        Layer(channels: 4, outputs: 8, width: 4, height: 3, frames: 3, window: ConvolutionWindow(depth: 3, before: 2), past: 2),
        Layer(
            channels: 4, outputs: 3, width: 4, height: 3, frames: 4, window: ConvolutionWindow(depth: 3, timeStride: 2, before: 1), past: 1),
        // Its kernel is taken in several pieces, because it is larger than the cache.
        Layer(channels: 600, outputs: 20, width: 3, height: 2, frames: 2, window: causal, past: 2),
    ]

    static func numbers(_ count: Int, _ seed: Int) -> [Float] { (0..<count).map { Float(($0 * 7919 + seed * 104_729) % 1009) / 504.5 - 1 } }

    /// Sums as the definition says.
    static func reference(_ layer: Layer, x: [Float], past: [Float], kernel: [Float], bias: [Float]) -> [Float] {
        let (w, scale) = (layer.window, layer.window.doubles ? 2 : 1)
        let columns = (scale * layer.width + w.padding + w.trailing - w.size) / w.stride + 1
        let rows = (scale * layer.height + w.padding + w.trailing - w.size) / w.stride + 1
        let frames = (layer.frames + w.before - w.depth) / w.timeStride + 1
        func value(_ frame: Int, _ row: Int, _ column: Int, _ channel: Int) -> Double {
            guard (0..<scale * layer.height).contains(row), (0..<scale * layer.width).contains(column), frame >= -layer.past else {
                return 0
            }
            let pixel = (row / scale * layer.width + column / scale) * layer.channels + channel
            let area = layer.width * layer.height * layer.channels
            return Double(frame < 0 ? past[(frame + layer.past) * area + pixel] : x[frame * area + pixel])
        }
        var result: [Float] = []
        for frame in 0..<frames {
            for row in 0..<rows {
                for column in 0..<columns {
                    for output in 0..<layer.outputs {
                        var sum = Double(bias[output])
                        for channel in 0..<layer.channels {
                            for time in 0..<w.depth {
                                for y in 0..<w.size {
                                    for x in 0..<w.size {
                                        let weight = kernel[
                                            (((output * layer.channels + channel) * w.depth + time) * w.size + y) * w.size + x]
                                        let place = (
                                            frame * w.timeStride + time - w.before, row * w.stride + y - w.padding,
                                            column * w.stride + x - w.padding
                                        )
                                        sum += Double(weight) * value(place.0, place.1, place.2, channel)
                                    }
                                }
                            }
                        }
                        result.append(Float(sum))
                    }
                }
            }
        }
        return result
    }

    @Test("is what its definition says, in each variant and with one thread or two", arguments: layers)
    func convolution(layer: Layer) throws {
        let area = layer.channels * layer.width * layer.height
        let (x, past) = (Self.numbers(area * layer.frames, 1), Self.numbers(area * layer.past, 2))
        let (kernel, bias) = (Self.numbers(layer.outputs * layer.channels * layer.window.taps, 3), Self.numbers(layer.outputs, 4))
        let expected = Self.reference(layer, x: x, past: past, kernel: kernel, bias: bias)
        // The ring begins with its newest frame.
        let ring = Array(past.suffix(area) + past.dropLast(area))
        for kernels in KernelTests.variants {
            let packing = WeightArrangement.panels(
                taps: layer.window.taps, inputs: layer.channels, outputs: layer.outputs, group: 1, for: kernels)
            for threads in [1, 2] {
                let result = try Executor(Backend(threads: threads, useGPU: false, kernels: kernels)).evaluate(ComputeScope()) { graph in
                    let size = [layer.channels, layer.width, layer.height]
                    let ring = try layer.past > 0 ? FrameRing(graph.input(size + [layer.past], ring), oldest: layer.past > 1 ? 1 : 0) : nil
                    return [
                        try graph.conv3d(
                            graph.input(size + [layer.frames], x), kernel: graph.input(packing.shape([]), packing.apply(kernel, [])),
                            bias: graph.input([layer.outputs], bias), window: layer.window, past: ring)
                    ]
                }[0]
                #expect(result.count == expected.count)
                let largest = zip(result, expected).map { abs($0 - $1) }.max() ?? .infinity
                #expect(largest < 1e-5 * Float(layer.channels * layer.window.taps), "\(kernels), \(threads) threads")
            }
        }
    }

    @Test("is what its definition says of ggml's operations, too, as GPUs compute it", arguments: layers)
    func gathered(layer: Layer) throws {
        let area = layer.channels * layer.width * layer.height
        let (x, past) = (Self.numbers(area * layer.frames, 1), Self.numbers(area * layer.past, 2))
        let (kernel, bias) = (Self.numbers(layer.outputs * layer.channels * layer.window.taps, 3), Self.numbers(layer.outputs, 4))
        let expected = Self.reference(layer, x: x, past: past, kernel: kernel, bias: bias)
        let ring = Array(past.suffix(area) + past.dropLast(area))
        let taps = layer.window.size * layer.window.size
        let packing = WeightArrangement.matrices(depth: layer.window.depth, taps: taps, inputs: layer.channels, outputs: layer.outputs)
        let backend = try Backend(threads: 2, useGPU: false, ownKernels: false)
        let result = try Executor(backend).evaluate(ComputeScope()) { graph in
            let size = [layer.channels, layer.width, layer.height]
            let ring = try layer.past > 0 ? FrameRing(graph.input(size + [layer.past], ring), oldest: layer.past > 1 ? 1 : 0) : nil
            return [
                try graph.conv3d(
                    graph.input(size + [layer.frames], x), kernel: graph.input(packing.shape([]), packing.apply(kernel, [])),
                    bias: graph.input([layer.outputs], bias), window: layer.window, past: ring)
            ]
        }[0]
        #expect(result.count == expected.count)
        let largest = zip(result, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(largest < 1e-5 * Float(layer.channels * layer.window.taps))
    }

    /// What bf16 keeps of a value: the upper half, to the nearest even.
    static func rounded(_ values: [Float]) -> [Float] {
        values.map { Float(bitPattern: ($0.bitPattern + 0x7FFF + ($0.bitPattern >> 16 & 1)) & 0xFFFF_0000) }
    }

    @Test("rounds to bf16 where that was asked for", arguments: layers.filter { $0.channels % 2 == 0 })
    func roundedConvolution(layer: Layer) throws {
        let area = layer.channels * layer.width * layer.height
        let (x, past) = (Self.numbers(area * layer.frames, 1), Self.numbers(area * layer.past, 2))
        let (kernel, bias) = (Self.numbers(layer.outputs * layer.channels * layer.window.taps, 3), Self.numbers(layer.outputs, 4))
        let expected = Self.reference(layer, x: Self.rounded(x), past: Self.rounded(past), kernel: Self.rounded(kernel), bias: bias)
        for kernels in KernelTests.variants where kernels.rounds {
            let packing = WeightArrangement.panels(
                taps: layer.window.taps, inputs: layer.channels, outputs: layer.outputs, group: 2, for: kernels)
            let result = try Executor(Backend(threads: 2, useGPU: false, kernels: kernels)).evaluate(ComputeScope()) { graph in
                let size = [layer.channels, layer.width, layer.height]
                let before = try layer.past > 0 ? FrameRing(graph.cast(graph.input(size + [layer.past], past), .bf16)) : nil
                return [
                    try graph.conv3d(
                        graph.cast(graph.input(size + [layer.frames], x), .bf16),
                        kernel: graph.cast(graph.input(packing.shape([]), packing.apply(kernel, [])), .bf16),
                        bias: graph.input([layer.outputs], bias),
                        window: layer.window, past: before)
                ]
            }[0]
            let largest = zip(result, expected).map { abs($0 - $1) }.max() ?? .infinity
            #expect(result.count == expected.count && largest < 1e-5 * Float(layer.channels * layer.window.taps), "\(kernels)")
        }
    }

    @Test("is cut into nodes that each do some rows")
    func strips() throws {
        let (channels, side) = (64, 160)
        let lane = CountingLane()
        let packing = WeightArrangement.panels(taps: 27, inputs: channels, outputs: channels, group: 1, for: .fastest)
        let ones = [Float](repeating: 1, count: channels * channels * 27)
        let values = try Executor(Backend(threads: 2, useGPU: false, kernels: .fastest)).evaluate(ComputeScope(lane: lane)) { graph in
            let x = try graph.input([channels, side, side, 1], [Float](repeating: 1, count: channels * side * side))
            var y = x
            for _ in 0..<4 {
                let sum = try graph.conv3d(
                    y, kernel: graph.input(packing.shape([]), packing.apply(ones, [])),
                    bias: graph.input([channels], [Float](repeating: 0, count: channels)),
                    window: Self.causal)
                y = try graph.scale(sum, by: 1 / Float(9 * channels))
            }
            return [y]
        }[0]
        // Far from the borders each layer gives ones back.
        let middle = (side / 2 * side + side / 2) * channels
        #expect(abs(values[middle] - 1) < 1e-4 && abs(values[middle + channels - 1] - 1) < 1e-4)
        #expect(lane.count.value > 1)
    }

    @Test("refuses what does not fit")
    func faults() throws {
        func run(_ build: @escaping (Graph) throws -> Tensor) -> Bool {
            do {
                _ = try Executor(Backend(threads: 1, useGPU: false, kernels: .fastest)).evaluate(ComputeScope()) { [try build($0)] }
            } catch is TensorError { return true } catch {}
            return false
        }
        let width = Int(ct_panel_width(ct_best_variant(), 2, 0))
        let wrongKernel = run {
            try $0.conv3d($0.input([3, 4, 4, 1], []), kernel: $0.input([width, 9], []), bias: $0.input([2], []), window: Self.causal)
        }
        let wrongPast = run {
            try $0.conv3d(
                $0.input([3, 4, 4, 1], []), kernel: $0.input([width, 81], []), bias: $0.input([2], []), window: Self.causal,
                past: FrameRing($0.input([3, 4, 5, 2], [])))
        }
        let tooSmall = run {
            try $0.conv3d(
                $0.input([3, 1, 1, 1], []), kernel: $0.input([width, 27], []), bias: $0.input([2], []), window: ConvolutionWindow(size: 3))
        }
        #expect(wrongKernel && wrongPast && tooSmall)
    }

    /// Counts how often it was taken.
    final class CountingLane: ComputeLane {
        let count = Counter()
        func acquire() { count.change { $0 += 1 } }
        func release() {}
    }

    @Test(
        "a kernel's values find their places, whatever their width, and the rest of the last panel is zero", arguments: [1, 2],
        KernelTests.variants)
    func packing(group: Int, kernels: KernelVariant) {
        let (taps, inputs, outputs) = (9, 4, 67)
        let panels = WeightArrangement.panels(taps: taps, inputs: inputs, outputs: outputs, group: group, for: kernels)
        let packedInputs = Int(ct_packed_inputs(kernels.index, Int32(inputs), Int32(group)))
        let shape = panels.shape([3, 3, inputs, outputs])
        let width = shape[0] / group
        let kernel = (0..<taps * inputs * outputs).map { UInt16($0 + 1) }
        let packed = panels.apply(kernel, [3, 3, inputs, outputs])
        let wide = panels.apply(kernel.map(Float.init), [3, 3, inputs, outputs])
        #expect(packed.map(Float.init) == wide)
        for (place, value) in packed.enumerated() {
            let (line, within) = (place / (width * group), place % (width * group))
            let (channel, tap, panel) = (
                line % (packedInputs / group) * group + within % group, line / (packedInputs / group) % taps,
                line / (packedInputs / group) / taps
            )
            let output = panel * width + within / group
            #expect(value == (output < outputs && channel < inputs ? kernel[(output * inputs + channel) * taps + tap] : 0))
        }
    }

    @Test("what one graph carries the next one finds")
    func carrying() throws {
        let backend = try Backend(threads: 2, useGPU: false)
        let (executor, carried) = (try Executor(backend), try PersistentTensor([2, 3], on: backend))
        var seen: [[Float]] = []
        for round in 1...3 {
            seen.append(
                try executor.evaluate(ComputeScope()) { graph in
                    let x = try graph.input([2, 3], [Float](repeating: Float(round), count: 6))
                    let sum = try graph.add(x, carried.tensor)
                    try graph.carry(x, into: carried.tensor, after: sum)
                    return [sum]
                }[0])
        }
        #expect(seen.map(\.first) == [1, 3, 5])
    }
}

extension WeightArrangement {
    func apply<Value: BitwiseCopyable>(_ values: [Value], _ shape: [Int]) -> [Value] {
        let width = MemoryLayout<Value>.size
        return [Value](unsafeUninitializedCapacity: count(values.count, shape)) { target, count in
            values.withUnsafeBytes { source in
                if let start = target.baseAddress, let first = source.baseAddress {
                    apply(first, bytes: source.count, width: width, into: start)
                }
            }
            count = target.count
        }
    }
}
