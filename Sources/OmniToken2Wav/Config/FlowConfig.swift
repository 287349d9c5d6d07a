import Foundation

/// The flow-matching transformer and its speaker encoder (transformers' `Qwen2_5OmniDiTConfig`, whose defaults these are; `dim`, `depth` and
/// `heads`, which published files have besides, it ignores).
struct FlowConfig: Decodable, Sendable {
    let hidden, layers, heads, head, widening, codeWidth, codes, repeats, mel: Int
    /// Frames of a block, and which layers see a block more.
    let block: Int
    let lookAhead, lookBack: [Int]
    /// Most frames.
    let positions: Int
    let theta: Double
    /// Width of a voice's own embedding, and of the encoder's.
    let voiceWidth, encodedWidth: Int
    let encoderChannels, encoderKernels, encoderDilations: [Int]
    let encoderAttention, encoderScale, encoderSqueeze: Int

    init(from decoder: any Decoder) throws { try self.init(Defaulted(decoder)) }

    init(_ nothing: [String: Int]) throws { try self.init(Defaulted(nothing)) }

    private init(_ value: Defaulted) throws {
        hidden = try value("hidden_size", 1024)
        layers = try value("num_hidden_layers", 22)
        heads = try value("num_attention_heads", 16)
        head = try value("head_dim", 64)
        widening = try value("ff_mult", 2)
        codeWidth = try value("emb_dim", 512)
        codes = try value("num_embeds", 8193)
        repeats = try value("repeats", 2)
        mel = try value("mel_dim", 80)
        block = try value("block_size", 24)
        lookAhead = try value("look_ahead_layers", [10])
        lookBack = try value("look_backward_layers", [0, 20])
        positions = try value("max_position_embeddings", 32_768)
        theta = try value("rope_theta", 10_000.0)
        voiceWidth = try value("enc_emb_dim", 192)
        encodedWidth = try value("enc_dim", 128)
        encoderChannels = try value("enc_channels", [256, 256, 256, 256, 768])
        encoderKernels = try value("enc_kernel_sizes", [5, 3, 3, 3, 1])
        encoderDilations = try value("enc_dilations", [1, 2, 3, 4, 1])
        encoderAttention = try value("enc_attention_channels", 64)
        encoderScale = try value("enc_res2net_scale", 2)
        encoderSqueeze = try value("enc_se_channels", 64)
    }

    var inner: Int { heads * head }
    /// What a frame shows the transformer: spectrogram, encoded voice, code, voice.
    var inputs: Int { mel + encodedWidth + codeWidth + voiceWidth }

    /// Of rotary positions, where the file has none.
    var frequencies: [Float] { (0..<head / 2).map { 1 / Float(pow(theta, Double(2 * $0) / Double(head))) } }

    func check() throws {
        let sizes = [
            hidden, layers, heads, head, widening, codeWidth, codes, repeats, mel, block, positions, voiceWidth, encodedWidth,
            encoderAttention,
            encoderScale, encoderSqueeze,
        ]
        func unsupported(_ what: String) -> Token2WavError { .unsupported("a token2wav transformer with \(what)") }
        let all = sizes + encoderChannels + encoderKernels + encoderDilations
        guard all.allSatisfy({ (1...1 << 20).contains($0) }) else { throw unsupported("sizes \(all)") }
        guard head % 2 == 0, block % repeats == 0, theta > 1, layers <= 1024 else {
            throw unsupported("heads of \(head), blocks of \(block), codes \(repeats) times, theta \(theta), \(layers) layers")
        }
        let count = encoderChannels.count
        guard count >= 3, encoderKernels.count == count, encoderDilations.count == count else {
            throw unsupported("encoder layers \(encoderChannels), \(encoderKernels), \(encoderDilations)")
        }
        // What goes round a block is added to what goes through it, and all of them side by side make the last.
        let middle = encoderChannels[1..<count - 1]
        guard middle.allSatisfy({ $0 == encoderChannels[0] && $0 % encoderScale == 0 }), middle.reduce(0, +) == encoderChannels[count - 1],
            encoderScale > 1, encoderKernels.allSatisfy({ $0 % 2 == 1 })
        else { throw unsupported("encoder layers \(encoderChannels) of \(encoderKernels) in \(encoderScale) parts") }
    }
}
