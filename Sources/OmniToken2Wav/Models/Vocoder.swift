import Foundation
import OmniTensor

/// Sound of a spectrogram (BigVGAN, arXiv:2206.04658; reference: transformers' `Qwen2_5OmniToken2WavBigVGANModel`).
struct Vocoder: Sendable {
    let config: VocoderConfig
    private let first, last: LineConvolution
    private let stages: [Stage]
    /// Frequencies and magnitudes of all activations, one after the other.
    private let parameters: [Float]
    private let end: SnakePlace

    private struct Stage: Sendable {
        let kernel, bias: Tensor
        let outputs, taps, rate: Int
        let blocks: [VocoderBlock]
    }

    /// - Parameters:
    ///   - exact: the weights that are never rounded, see ``isExact(_:_:)``.
    ///   - wide: all others.
    init(_ config: VocoderConfig, exact: WeightStore, wide: WeightStore) throws {
        self.config = config
        var places = SnakeParameters()
        func weights(_ stage: Int) -> Weights { Weights(Self.isExact(stage: stage, config) ? exact : wide, TensorNames.vocoder) }
        first = try LineConvolution(Weights(exact, TensorNames.vocoder).at("conv_pre"), config.mel, config.channels, taps: 7)
        stages = try config.rates.indices.map { stage in
            let weights = weights(stage)
            let (inputs, outputs) = (config.channels(after: stage), config.channels(after: stage + 1))
            let up = weights.at("ups.\(stage).0")
            return Stage(
                kernel: try weights.store.lineKernel(
                    up.prefix + "weight", taps: config.taps[stage], inputs: inputs, outputs: outputs, stride: config.rates[stage]),
                bias: try up("bias", outputs), outputs: outputs, taps: config.taps[stage], rate: config.rates[stage],
                blocks: try config.blockTaps.indices.map { block in
                    try VocoderBlock(
                        weights.at("resblocks.\(stage * config.blockTaps.count + block)"), channels: outputs, taps: config.blockTaps[block],
                        dilations: config.dilations[block], &places)
                })
        }
        let left = Weights(exact, TensorNames.vocoder)
        end = try places.add(left.at("activation_post"), channels: config.channels(after: config.rates.count))
        last = try LineConvolution(left.at("conv_post"), config.channels(after: config.rates.count), 1, taps: 7, biased: false)
        parameters = places.values
    }

    /// Stages whose channels do not fill a tile of bf16, and the first and last convolutions: little work, and nearest to the sound.
    private static func isExact(stage: Int, _ config: VocoderConfig) -> Bool { config.channels(after: stage + 1) % 32 != 0 }

    static func isExact(_ name: String, _ config: VocoderConfig) -> Bool {
        let parts = name.dropFirst(TensorNames.vocoder.count).split(separator: ".")
        guard parts.count > 1, let number = Int(parts[1]) else { return true }
        return isExact(stage: parts[0] == "ups" ? number : number / config.blockTaps.count, config)
    }

    static func kernels(_ name: String, _ config: VocoderConfig) -> LineKernel? {
        guard name.hasPrefix(TensorNames.vocoder), name.hasSuffix(".weight") else { return nil }
        let parts = name.dropFirst(TensorNames.vocoder.count).split(separator: ".")
        guard parts[0] == "ups" else { return .plain }
        return Int(parts[1]).map { .transposed(stride: config.rates[$0]) }
    }

    /// Samples `[hop · frames]` within ±1 of `mel [bands, frames]`, which is the logarithm of amplitudes.
    func callAsFunction(_ graph: Graph, _ mel: Tensor) throws -> Tensor {
        let parameters = try graph.input([self.parameters.count], self.parameters)
        var x = try first(graph, normalized(graph, mel))
        for stage in stages {
            let line = try graph.convTransposed1d(
                x, kernel: stage.kernel, outputs: stage.outputs, bias: stage.bias, taps: stage.taps, stride: stage.rate)
            let parts = try stage.blocks.map { try $0(graph, line, parameters) }
            let sum = try parts.dropFirst().reduce(parts[0]) { try graph.add($0, $1) }
            x = try graph.scale(sum, by: 1 / Float(parts.count))
        }
        let wave = try last(graph, end(graph, x, parameters, type: last.inputType(graph)))
        return try graph.clamp(wave, -1...1)
    }

    /// Decibels below the reference of 20, from −115 to 0, as −1 to 1. The logarithm of an amplitude that is no less than a floor is that of
    /// the amplitude, and no less than the floor's.
    private func normalized(_ graph: Graph, _ mel: Tensor) throws -> Tensor {
        let (least, reference): (Float, Float) = (-115, 20)
        let decibels = 20 / Foundation.log(Float(10))
        let floored = try graph.clamp(mel, least / decibels...Float.greatestFiniteMagnitude)
        return try graph.clamp(graph.scale(floored, by: -2 * decibels / least, plus: 2 * (reference + least) / least - 1), -1...1)
    }

    /// Frames to either side that a sample depends on.
    var reach: Int {
        var (samples, frames, rate) = (0.0, 3.0, 1.0)
        for (place, stage) in config.rates.enumerated() {
            frames += (Double(config.taps[place] - stage) / 2 / Double(stage)).rounded(.up) / rate + 1 / rate
            rate *= Double(stage)
            samples =
                zip(config.blockTaps, config.dilations).map { taps, dilations in
                    Double((taps - 1) / 2 * (dilations.reduce(0, +) + dilations.count) + 2 * dilations.count * SnakePlace.reach)
                }.max() ?? 0
            frames += samples / rate
        }
        return Int((frames + Double(SnakePlace.reach + 3) / rate).rounded(.up))
    }
}
