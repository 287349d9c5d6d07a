import Foundation
import OmniTensor

/// What times make of all layers: shifts, scales (plus 1) and gates. They depend on nothing else, so they are computed once for all times of a
/// schedule; the weights that make them are a third of the transformer's.
struct Modulations: Sendable {
    /// For each time: of the layers `6 · hidden` each.
    let layers: [[Float]]
    /// For each time: scale (plus 1) and shift of the last norm.
    let last: [[Float]]
}

/// The weights that make ``Modulations``.
struct TimeNetwork: Sendable {
    private let config: FlowConfig
    private let first, second, last: Linear
    private let layers: [Linear]

    init(_ config: FlowConfig, _ store: WeightStore) throws {
        self.config = config
        let (weights, hidden) = (Weights(store, TensorNames.flow), config.hidden)
        first = try Linear(weights.at("time_embed.time_mlp.0"), FlowConfig.waves, hidden, bias: true)
        second = try Linear(weights.at("time_embed.time_mlp.2"), hidden, hidden, bias: true)
        layers = try (0..<config.layers).map {
            try Linear(weights.at("transformer_blocks.\($0).attn_norm.linear"), hidden, 6 * hidden, bias: true)
        }
        last = try Linear(weights.at("norm_out.linear"), hidden, 2 * hidden, bias: true)
    }

    static func holds(_ name: String) -> Bool {
        name.hasPrefix(TensorNames.flow + "time_embed.") || name.hasPrefix(TensorNames.flow + "norm_out.")
            || name.hasPrefix(TensorNames.flow) && name.contains(".attn_norm.")
    }

    /// Sinusoids of 1000 · time: sines, then cosines.
    static func waves(_ time: Float) -> [Float] {
        let half = FlowConfig.waves / 2
        let angles = (0..<half).map { 1000 * time * Foundation.exp(Float($0) * -(Foundation.log(Float(10_000)) / Float(half - 1))) }
        return angles.map { Foundation.sin($0) } + angles.map { Foundation.cos($0) }
    }

    func callAsFunction(_ executor: Executor, _ scope: ComputeScope, times: [Float]) throws -> Modulations {
        let hidden = config.hidden
        let values = try executor.evaluate(scope) { graph in
            let waves = try graph.input([FlowConfig.waves, times.count], times.flatMap { Self.waves($0) })
            let states = try graph.silu(second(graph, graph.silu(first(graph, waves))))
            return try (layers + [last]).map { try $0(graph, states) }
        }
        func row(_ layer: Int, _ time: Int, _ parts: Int, scales: Set<Int>) -> [Float] {
            (0..<parts * hidden).map { values[layer][time * parts * hidden + $0] + (scales.contains($0 / hidden) ? 1 : 0) }
        }
        return Modulations(
            layers: times.indices.map { time in (0..<config.layers).flatMap { row($0, time, 6, scales: [1, 4]) } },
            last: times.indices.map { row(config.layers, $0, 2, scales: [0]) })
    }
}
