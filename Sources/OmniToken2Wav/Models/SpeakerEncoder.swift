import OmniTensor

/// What a sample's spectrogram says of a voice (ECAPA-TDNN, arXiv:2005.07143; reference: transformers' `ECAPA_TimeDelayNet`).
struct SpeakerEncoder {
    private let config: FlowConfig
    private let first, last, attentionIn, attentionOut, out: LineConvolution
    private let blocks: [Block]

    /// - Parameter store: loaded with ``kernels(_:)``.
    init(_ config: FlowConfig, _ store: WeightStore) throws {
        self.config = config
        let (weights, channels) = (Weights(store, TensorNames.encoder), config.encoderChannels)
        let end = channels.count - 1
        func line(_ name: String, _ inputs: Int, _ outputs: Int, layer: Int? = nil) throws -> LineConvolution {
            try LineConvolution(
                weights.at(name), inputs, outputs, taps: layer.map { config.encoderKernels[$0] } ?? 1,
                dilation: layer.map { config.encoderDilations[$0] } ?? 1, padding: .reflect)
        }
        first = try line("blocks.0.conv", config.mel, channels[0], layer: 0)
        blocks = try (1..<end).map { try Block(config, weights.at("blocks.\($0)"), layer: $0) }
        last = try line("mfa.conv", channels[end], channels[end], layer: end)
        attentionIn = try line("asp.tdnn.conv", 3 * channels[end], config.encoderAttention)
        attentionOut = try line("asp.conv", config.encoderAttention, channels[end])
        out = try line("fc", 2 * channels[end], config.encodedWidth)
    }

    static func kernels(_ name: String) -> LineKernel? { name.hasSuffix(".weight") ? .plain : nil }

    /// The embedding `[encodedWidth]` of `mel [bands, frames]`.
    func callAsFunction(_ graph: Graph, _ mel: Tensor) throws -> Tensor {
        var x = try graph.relu(first(graph, mel))
        var all: [Tensor] = []
        for block in blocks {
            x = try block(graph, x)
            all.append(x)
        }
        return try out(graph, pooled(graph, graph.relu(last(graph, graph.concat(all, axis: 0)))))
    }

    /// Mean and deviation of each channel over time, weighted by attention that sees both without weights: `[2 · channels, 1]`.
    private func pooled(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        let floor: Float = 1e-12
        let mean = try graph.mean(x, axis: 1)
        let deviation = try graph.deviation(x, from: mean, floor: floor, axis: 1)
        let shape = [x[0], x[1]]
        let context = try graph.concat([x, graph.repeat(mean, shape), graph.repeat(deviation, shape)], axis: 0)
        let scores = try attentionOut(graph, graph.tanh(graph.relu(attentionIn(graph, context))))
        let weights = try graph.softmax(scores, axis: 1)
        let seen = try graph.mean(x, weights: weights, axis: 1)
        return try graph.concat([seen, graph.deviation(x, from: seen, weights: weights, floor: floor, axis: 1)], axis: 0)
    }

    /// Parts of the channels, each seeing what came of the one before it, and channels weighted by what all say together.
    private struct Block {
        private let before, behind, squeeze, excite: LineConvolution
        private let parts: [LineConvolution]

        init(_ config: FlowConfig, _ weights: Weights, layer: Int) throws {
            let (channels, scale) = (config.encoderChannels[layer], config.encoderScale)
            before = try LineConvolution(weights.at("tdnn1.conv"), channels, channels, taps: 1)
            behind = try LineConvolution(weights.at("tdnn2.conv"), channels, channels, taps: 1)
            parts = try (0..<scale - 1).map { part in
                try LineConvolution(
                    weights.at("res2net_block.blocks.\(part).conv"), channels / scale, channels / scale, taps: config.encoderKernels[layer],
                    dilation: config.encoderDilations[layer], padding: .reflect)
            }
            squeeze = try LineConvolution(weights.at("se_block.conv1"), channels, config.encoderSqueeze, taps: 1)
            excite = try LineConvolution(weights.at("se_block.conv2"), config.encoderSqueeze, channels, taps: 1)
        }

        func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor {
            let wide = try graph.relu(before(graph, x))
            let width = wide[0] / (parts.count + 1)
            func part(_ index: Int) throws -> Tensor {
                try graph.contiguous(graph.slice(wide, axis: 0, index * width..<(index + 1) * width))
            }
            var outputs = [try part(0)]
            for (index, convolution) in parts.enumerated() {
                let own = try part(index + 1)
                outputs.append(try graph.relu(convolution(graph, index == 0 ? own : graph.add(own, outputs[index]))))
            }
            let joined = try graph.relu(behind(graph, graph.concat(outputs, axis: 0)))
            let gate = try graph.sigmoid(excite(graph, graph.relu(squeeze(graph, graph.mean(joined, axis: 1)))))
            return try graph.add(graph.multiply(joined, gate), x)
        }
    }
}
