import CLlama
import OmniDevices
import OmniEngine

/// Everything that graphs of this library can be made of, asked of a device and computed there beside the CPU.
///
/// Each case is built with ``Graph`` itself, so that what is checked is what models run. On a CPU it checks ggml's operations alone, as a
/// GPU gets them: kernels of ours are left out.
public struct OperationTable {
    /// One call of ``Graph`` with the operations that it becomes on this device.
    public struct Row: Sendable {
        public let name: String
        /// What the device does itself, and what it leaves to the CPU.
        public let supported, missing: [GraphOperation]
        /// Distance to the CPU's numbers over their length; nil where the graph failed.
        public let error: Double?
        /// What a device may be off: halves are rounded to 8 bits or multiplied so, f32 in the 10 bits of TF32.
        public let tolerance: Double

        public var isRight: Bool { error.map { $0 <= tolerance } ?? false }
    }

    private let device: Backend
    private let cpu: Backend

    /// - Parameter device: where to look; the CPU when nil.
    public init(_ device: ComputeDevice?, threads: Int = Processors.current.threads) throws {
        self.device = try Backend(threads: threads, useGPU: false, device: device, ownKernels: false)
        cpu = try Backend(threads: threads, useGPU: false, ownKernels: false)
    }

    /// Every case, one after the other, or those after the one of that name.
    ///
    /// - Parameter begin: called before each: a kernel may end the process.
    public func run(after: String? = nil, begin: (String) throws -> Void = { _ in }, end: (Row) throws -> Void = { _ in }) throws -> [Row] {
        var cases = Self.cases[...]
        if let after { cases = cases.drop { $0.name != after }.dropFirst() }
        return try cases.map { one in
            try begin(one.name)
            let row = try row(one)
            try end(row)
            return row
        }
    }

    private func row(_ one: Case) throws -> Row {
        device.operations.start()
        let (here, there) = try (values(one, on: cpu), values(one, on: device))
        let found = device.operations.supported
        func operations(_ isSupported: Bool) -> [GraphOperation] { found.filter { $0.value == isSupported }.map(\.key).sorted() }
        return Row(
            name: one.name, supported: operations(true), missing: operations(false), error: Self.distance(there, here),
            tolerance: one.tolerance)
    }

    private func values(_ one: Case, on backend: Backend) throws -> [Float] {
        let site = Site(backend)
        return try withExtendedLifetime(site) {
            try Executor(backend, capacity: 4096).evaluate(ComputeScope()) { [try one.build($0, site)] }[0]
        }
    }

    static func distance(_ values: [Float], _ reference: [Float]) -> Double? {
        guard values.count == reference.count, values.allSatisfy(\.isFinite) else { return nil }
        let square = zip(values, reference).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        return (square / max(reference.reduce(0.0) { $0 + Double($1) * Double($1) }, 1e-30)).squareRoot()
    }

    // MARK: cases

    struct Case {
        let name: String
        var tolerance = 2e-3
        let build: (Graph, Site) throws -> Tensor
    }

    /// Where a case is computed, with what must live as long as its graph.
    final class Site {
        private let backend: Backend
        private var kept: [PersistentTensor] = []

        init(_ backend: Backend) { self.backend = backend }

        func zeros(_ shape: [Int]) throws -> Tensor {
            kept.append(try PersistentTensor(shape, on: backend))
            return kept[kept.count - 1].tensor
        }
    }

    /// Numbers around zero that look like noise.
    static func noise(_ graph: Graph, _ shape: Int..., seed: Int = 1) throws -> Tensor {
        try graph.input(shape, (0..<shape.reduce(1, *)).map { Float(($0 &* 7919 &+ seed &* 104_729) % 1009) / 504.5 - 1 })
    }

    static var cases: [Case] { elementwise + products + attention + layout + convolutions + functions + lines }

    private static var elementwise: [Case] {
        func x(_ graph: Graph, _ seed: Int = 1) throws -> Tensor { try noise(graph, 96, 33, seed: seed) }
        return [
            Case(name: "add, a row for all") { g, _ in try g.add(x(g), noise(g, 96, seed: 2)) },
            Case(name: "multiply, a row for all") { g, _ in try g.multiply(x(g), noise(g, 96, seed: 2)) },
            Case(name: "add, one number for each row") { g, _ in try g.add(x(g), noise(g, 1, 33, seed: 2)) },
            Case(name: "scale and offset") { g, _ in try g.scale(x(g), by: 1.5, plus: 0.25) },
            Case(name: "silu") { g, _ in try g.silu(x(g)) },
            Case(name: "tanh") { g, _ in try g.tanh(x(g)) },
            Case(name: "swiGLU") { g, _ in try g.swiGLU(gate: x(g), up: x(g, 2)) },
            Case(name: "gelu, exact") { g, _ in try g.gelu(x(g), precision: .exact) },
            Case(name: "gelu, fast") { g, _ in try g.gelu(x(g), precision: .flash) },
            Case(name: "gatedGELU, exact") { g, _ in try g.gatedGELU(gate: x(g), up: x(g, 2), precision: .exact) },
            Case(name: "gatedGELU, fast") { g, _ in try g.gatedGELU(gate: x(g), up: x(g, 2), precision: .flash) },
            Case(name: "geluExact") { g, _ in try g.geluExact(x(g)) },
            Case(name: "rmsNorm") { g, _ in try g.rmsNorm(x(g), noise(g, 96, seed: 3), epsilon: 1e-6) },
            Case(name: "layerNorm") { g, _ in try g.layerNorm(x(g), epsilon: 1e-6) },
            Case(name: "groupNorm") { g, _ in
                let (weight, bias) = try (noise(g, 32, seed: 2), noise(g, 32, seed: 3))
                return try g.groupNorm(noise(g, 32, 9, 7), groups: 8, weight: weight, bias: bias, epsilon: 1e-6, activated: true)
            },
            Case(name: "rotate") { g, _ in
                let positions = try g.input([4 * 33], integers: (0..<132).map { Int32($0 % 33) })
                let divisors = try g.input([16], (0..<16).map { 1 + Float($0 * $0) })
                return try g.applyRoPE(noise(g, 32, 3, 33), positions: positions, sections: [8, 4, 4, 0], divisors: divisors)
            },
        ]
    }

    /// Weights as models store them.
    private static let weightTypes: [ElementType] = [.f32, .f16, .bf16, .q8_0, .q5_0, .q4_0]

    private static var products: [Case] {
        weightTypes.flatMap { type -> [Case] in
            // Products of whole numbers round activations to 8 bits.
            let tolerance = type == .f32 ? 2e-3 : type.isQuantized ? 1.5e-2 : 1e-2
            return [
                Case(name: "linear, \(type)", tolerance: tolerance) { g, _ in
                    try g.linear(noise(g, 256, 33), g.cast(noise(g, 256, 64, seed: 2), type), bias: noise(g, 64, seed: 3))
                },
                Case(name: "linear of one row, \(type)", tolerance: tolerance) { g, _ in
                    try g.linear(noise(g, 256), g.cast(noise(g, 256, 64, seed: 2), type))
                },
                Case(name: "embedding, \(type)", tolerance: tolerance) { g, _ in
                    try g.embedding(g.cast(noise(g, 256, 64, seed: 2), type), ids: g.input([5], integers: [3, 0, 63, 3, 17]))
                },
            ]
        }
    }

    private static var attention: [Case] {
        func attend(_ g: Graph, _ head: Int, _ precision: AttentionPrecision, mask: Tensor? = nil, bias: Tensor? = nil) throws -> Tensor {
            try g.attention(
                query: noise(g, head, 4, 33), keys: noise(g, head, 2, 40, seed: 2), values: noise(g, head, 2, 40, seed: 3), mask: mask,
                bias: bias, precision: precision)
        }
        func visible(_ g: Graph, _ heads: Int) throws -> Tensor {
            let values = (0..<40 * 33 * heads).map { place -> Float in
                let (other, token) = (place % 40, place / 40 % 33)
                return other > token + 7 ? -.infinity : Float(place % 7) / 7
            }
            return try g.input([40, 33, heads], values)
        }
        return [
            Case(name: "attention, exact", tolerance: 5e-3) { g, _ in try attend(g, 64, .exact) },
            Case(name: "attention, exact, masked", tolerance: 5e-3) { g, _ in try attend(g, 64, .exact, mask: visible(g, 1)) },
            Case(name: "attention, exact, a mask for each head", tolerance: 5e-3) { g, _ in
                try attend(g, 64, .exact, mask: visible(g, 4))
            },
            Case(name: "attention, exact, with a bias", tolerance: 5e-3) { g, _ in try attend(g, 64, .exact, bias: noise(g, 40, seed: 4)) },
            Case(name: "attention, flash, heads of 24", tolerance: 1e-2) { g, _ in try attend(g, 24, .flash) },
            Case(name: "attention, flash, heads of 64", tolerance: 1e-2) { g, _ in try attend(g, 64, .flash) },
            Case(name: "attention, flash, heads of 128", tolerance: 1e-2) { g, _ in try attend(g, 128, .flash) },
        ]
    }

    private static var layout: [Case] {
        func x(_ g: Graph, _ seed: Int = 1) throws -> Tensor { try noise(g, 12, 8, 6, 4, seed: seed) }
        return [
            Case(name: "permute into one piece") { g, _ in try g.contiguous(g.permute(x(g), [2, 0, 1, 3])) },
            Case(name: "slice into one piece") { g, _ in try g.contiguous(g.slice(x(g), axis: 0, 3..<9)) },
            Case(name: "concat along each axis") { g, _ in
                try g.concat((0..<4).map { axis in try g.reshape(g.concat([x(g), x(g, 2)], axis: axis), [12 * 8 * 6 * 4 * 2]) }, axis: 0)
            },
            Case(name: "repeat") { g, _ in try g.repeat(noise(g, 12, 1, 6), [12, 5, 6]) },
            Case(name: "cast to f16 and back") { g, _ in try g.cast(g.cast(x(g), .f16), .f32) },
            Case(name: "cast to bf16 and back", tolerance: 1e-2) { g, _ in try g.cast(g.cast(x(g), .bf16), .f32) },
            Case(name: "padFrames") { g, _ in try g.padFrames(x(g), before: 2) },
            Case(name: "interleaveFrames") { g, _ in try g.interleaveFrames([x(g), x(g, 2)]) },
            Case(name: "stridedSpatially, stridedFrames, stridedChannels") { g, _ in
                let pixels = try g.stridedSpatially(g.stridedChannels(3, from: 1, of: x(g)), column: 1, row: 0)
                return try g.contiguous(g.stridedFrames(2, from: 1, of: g.contiguous(pixels)))
            },
            Case(name: "averagePool") { g, _ in try g.averagePool(x(g), 4) },
            Case(name: "carry") { g, site in
                let (value, place) = (try x(g), try site.zeros([12, 8, 6, 4]))
                let sum = try g.add(value, place)
                try g.carry(value, into: place, after: sum)
                return try g.add(sum, place)
            },
        ]
    }

    private static var convolutions: [Case] {
        let windows: [(String, ConvolutionWindow)] = [
            ("of one pixel", ConvolutionWindow()),
            ("3×3", ConvolutionWindow(size: 3, padding: 1)),
            ("3×3 of doubled pixels", ConvolutionWindow(size: 3, padding: 1, doubles: true)),
            ("3×3, every other pixel", ConvolutionWindow(size: 3, stride: 2, padding: 0, trailing: 1)),
            ("patches", ConvolutionWindow(size: 4, stride: 4)),
            ("3×3×3", ConvolutionWindow(size: 3, depth: 3, padding: 1, before: 2)),
            ("over time", ConvolutionWindow(depth: 3, before: 2)),
            ("over time, every other frame", ConvolutionWindow(depth: 3, timeStride: 2, before: 1)),
        ]
        return windows.flatMap { name, window in
            [ElementType.f32, .bf16].map { type in
                Case(name: "conv3d \(name), \(type)", tolerance: type == .f32 ? 2e-3 : 1e-2) { g, _ in
                    let kernel = try g.cast(noise(g, window.size * window.size * 16, 24 * window.depth, seed: 2), type)
                    let frames = window.before > 0 ? try noise(g, 16, 8, 12, window.before, seed: 4) : nil
                    let past = frames.map { FrameRing($0, oldest: window.before - 1) }
                    return try g.conv3d(noise(g, 16, 8, 12, 4), kernel: kernel, bias: noise(g, 24, seed: 3), window: window, past: past)
                }
            }
        }
    }
}
