import OmniTensor

/// Every tensor that a checkpoint of that configuration has under `token2wav.`, with its shape, fastest axis first.
struct TensorNames {
    static let prefix = "token2wav."
    static let flow = prefix + "code2wav_dit_model."
    static let vocoder = prefix + "code2wav_bigvgan_model."
    static let encoder = flow + "input_embed.spk_encoder."
    static let frequencies = flow + "rotary_embed.inv_freq"

    private(set) var shapes: [String: [Int]] = [:]

    init(_ config: Token2WavConfig) {
        addFlow(config.transformer)
        addEncoder(config.transformer)
        addVocoder(config.vocoder)
    }

    private mutating func add(_ name: String, _ shape: [Int], bias: Int? = nil) {
        shapes[name + ".weight"] = shape
        if let bias { shapes[name + ".bias"] = [bias] }
    }

    private mutating func addFlow(_ c: FlowConfig) {
        func linear(_ name: String, _ inputs: Int, _ outputs: Int) { add(Self.flow + name, [inputs, outputs], bias: outputs) }
        linear("time_embed.time_mlp.0", FlowConfig.waves, c.hidden)
        linear("time_embed.time_mlp.2", c.hidden, c.hidden)
        add(Self.flow + "text_embed.codec_embed", [c.codeWidth, c.codes + 1])
        linear("input_embed.proj", c.inputs, c.hidden)
        for layer in 0..<c.layers {
            let block = "transformer_blocks.\(layer)."
            linear(block + "attn_norm.linear", c.hidden, 6 * c.hidden)
            for name in ["to_q", "to_k", "to_v"] { linear(block + "attn.\(name)", c.hidden, c.inner) }
            linear(block + "attn.to_out.0", c.inner, c.hidden)
            linear(block + "ff.ff.0", c.hidden, c.widening * c.hidden)
            linear(block + "ff.ff.3", c.widening * c.hidden, c.hidden)
        }
        linear("norm_out.linear", c.hidden, 2 * c.hidden)
        linear("proj_out", c.hidden, c.mel)
    }

    private mutating func addEncoder(_ c: FlowConfig) {
        func line(_ name: String, _ inputs: Int, _ outputs: Int, taps: Int = 1) {
            add(Self.encoder + name, [taps, inputs, outputs], bias: outputs)
        }
        let (last, channels) = (c.encoderChannels.count - 1, c.encoderChannels)
        line("blocks.0.conv", c.mel, channels[0], taps: c.encoderKernels[0])
        for block in 1..<last {
            let part = channels[block] / c.encoderScale
            line("blocks.\(block).tdnn1.conv", channels[block - 1], channels[block])
            for place in 0..<c.encoderScale - 1 {
                line("blocks.\(block).res2net_block.blocks.\(place).conv", part, part, taps: c.encoderKernels[block])
            }
            line("blocks.\(block).tdnn2.conv", channels[block], channels[block])
            line("blocks.\(block).se_block.conv1", channels[block], c.encoderSqueeze)
            line("blocks.\(block).se_block.conv2", c.encoderSqueeze, channels[block])
        }
        line("mfa.conv", channels[last], channels[last], taps: c.encoderKernels[last])
        line("asp.tdnn.conv", 3 * channels[last], c.encoderAttention)
        line("asp.conv", c.encoderAttention, channels[last])
        line("fc", 2 * channels[last], c.encodedWidth)
    }

    private mutating func addVocoder(_ c: VocoderConfig) {
        func activation(_ name: String, _ channels: Int) {
            for parameter in ["alpha", "beta"] { shapes[Self.vocoder + name + ".act." + parameter] = [channels] }
        }
        add(Self.vocoder + "conv_pre", [7, c.mel, c.channels], bias: c.channels)
        for stage in c.rates.indices {
            let (inputs, outputs) = (c.channels(after: stage), c.channels(after: stage + 1))
            add(Self.vocoder + "ups.\(stage).0", [c.taps[stage], outputs, inputs], bias: outputs)
            for (place, taps) in c.blockTaps.enumerated() {
                let block = "resblocks.\(stage * c.blockTaps.count + place)."
                for layer in 0..<VocoderConfig.depth {
                    for name in ["convs1", "convs2"] {
                        add(Self.vocoder + block + "\(name).\(layer)", [taps, outputs, outputs], bias: outputs)
                    }
                    activation(block + "activations.\(2 * layer)", outputs)
                    activation(block + "activations.\(2 * layer + 1)", outputs)
                }
            }
        }
        activation("activation_post", c.channels(after: c.rates.count))
        add(Self.vocoder + "conv_post", [7, c.channels(after: c.rates.count), 1])
    }

    /// What a file may have or leave out: the rotary frequencies, and the activations' filters, which follow from nothing but their length.
    private func isOptional(_ name: String, _ shape: [Int], _ config: FlowConfig) -> Bool {
        if name == Self.frequencies { return shape == [config.head / 2] }
        return [".upsample.filter", ".downsample.filter", ".downsample.lowpass.filter"].contains { name.hasSuffix($0) }
            && name.hasPrefix(Self.vocoder) && shape.first == 12 && shape.reduce(1, *) == 12
    }

    /// - Throws: ``TensorError`` that names the tensor: one that is missing, has another shape, or that nobody knows.
    func check(_ files: WeightFiles, _ config: FlowConfig) throws {
        for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
            guard let entry = files.entries[name] else { throw TensorError.missing(tensor: name, among: files.source) }
            guard entry.shape == shape else { throw TensorError.mismatch(tensor: name, expected: "\(shape)", found: "\(entry.shape)") }
        }
        for (name, entry) in files.entries.sorted(by: { $0.key < $1.key }) where name.hasPrefix(Self.prefix) && shapes[name] == nil {
            guard isOptional(name, entry.shape, config) else {
                throw TensorError.mismatch(
                    tensor: name, expected: "none of that name in a token2wav of this configuration", found: "\(entry.shape)")
            }
        }
    }
}

extension FlowConfig {
    /// Width of the sinusoids that stand for a time.
    static let waves = 256
}
