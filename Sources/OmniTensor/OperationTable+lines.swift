/// What sounds are made with.
extension OperationTable {
    static var functions: [Case] {
        func x(_ g: Graph, _ seed: Int = 1) throws -> Tensor { try noise(g, 96, 33, seed: seed) }
        func positive(_ g: Graph) throws -> Tensor { try g.scale(x(g), plus: 1.5) }
        return [
            Case(name: "sin") { g, _ in try g.sin(g.scale(x(g), by: 9)) },
            Case(name: "exp, log, sqrt") { g, _ in try g.concat([g.exp(x(g)), g.log(positive(g)), g.sqrt(positive(g))], axis: 1) },
            Case(name: "clamp") { g, _ in try g.clamp(x(g), -0.25...0.5) },
            Case(name: "relu, sigmoid") { g, _ in try g.concat([g.relu(x(g)), g.sigmoid(x(g))], axis: 1) },
            Case(name: "subtract, one number for each row") { g, _ in try g.subtract(x(g), noise(g, 1, 33, seed: 2)) },
            Case(name: "softmax along each axis") { g, _ in try g.concat([g.softmax(x(g), axis: 0), g.softmax(x(g), axis: 1)], axis: 1) },
            Case(name: "mean and deviation along each axis") { g, _ in
                let parts = try (0...1).map { axis -> Tensor in
                    let mean = try g.mean(x(g), axis: axis)
                    let deviation = try g.deviation(x(g), from: mean, weights: g.softmax(x(g, 2), axis: axis), floor: 1e-6, axis: axis)
                    return try g.reshape(g.concat([mean, deviation], axis: axis), [2 * mean.count])
                }
                return try g.concat(parts, axis: 0)
            },
            Case(name: "modulatedNorm, addGated") { g, _ in
                let normal = try g.modulatedNorm(x(g), scale: noise(g, 96, seed: 2), shift: noise(g, 96, seed: 3), epsilon: 1e-6)
                return try g.addGated(normal, gate: noise(g, 96, seed: 4), x(g, 5))
            },
            Case(name: "rotatePairs") { g, _ in
                try g.rotatePairs(x(g), PairRotation(g, positions: (0..<33).map { $0 }, divisors: (0..<16).map { 1 + Float($0 * $0) }))
            },
            Case(name: "attention within blocks", tolerance: 5e-3) { g, _ in
                func part(_ seed: Int) throws -> Tensor { try noise(g, 32, 4, 33, seed: seed) }
                return try g.attention(
                    query: part(1), keys: part(2), values: part(3), sequences: [20, 13], blocks: BlockWindow(size: 6, back: 1, ahead: 1),
                    precision: .exact)
            },
        ]
    }

    static var lines: [Case] {
        func line(_ g: Graph) throws -> Tensor { try noise(g, 16, 40) }
        let paddings: [LinePadding] = [.zeros, .reflect, .replicate]
        return paddings.map { padding in
            Case(name: "padLine, \(padding)") { g, _ in try g.padLine(line(g), before: 3, after: 5, padding) }
        }
            + [ElementType.f32, .bf16].flatMap { type in
                [
                    Case(name: "conv1d with a dilation, \(type)", tolerance: type == .f32 ? 2e-3 : 1e-2) { g, _ in
                        try g.conv1d(
                            line(g), kernel: g.cast(noise(g, 5 * 16, 24, seed: 2), type), outputs: 24, bias: noise(g, 24, seed: 3),
                            window: .same(taps: 5, dilation: 3))
                    },
                    Case(name: "convTransposed1d, \(type)", tolerance: type == .f32 ? 2e-3 : 1e-2) { g, _ in
                        try g.convTransposed1d(
                            line(g), kernel: g.cast(noise(g, 3 * 16, 5 * 24, seed: 2), type), outputs: 24, bias: noise(g, 24, seed: 3),
                            taps: 11,
                            stride: 5)
                    },
                ]
            } + [
                Case(name: "snake") { g, _ in
                    try g.snake(line(g), frequency: noise(g, 16, seed: 2), magnitude: noise(g, 16, seed: 3), filter: SnakeFilter())
                }
            ]
    }
}
