/// BigVGAN (transformers' `Qwen2_5OmniBigVGANConfig`, whose defaults these are).
struct VocoderConfig: Decodable, Sendable {
    let mel, channels: Int
    /// Of each stage: how many times as many positions, and taps.
    let rates, taps: [Int]
    /// Of each residual block of a stage.
    let blockTaps: [Int]
    let dilations: [[Int]]

    init(from decoder: any Decoder) throws { try self.init(Defaulted(decoder)) }

    init(_ nothing: [String: Int]) throws { try self.init(Defaulted(nothing)) }

    private init(_ value: Defaulted) throws {
        mel = try value("mel_dim", 80)
        channels = try value("upsample_initial_channel", 1536)
        rates = try value("upsample_rates", [5, 3, 2, 2, 2, 2])
        taps = try value("upsample_kernel_sizes", [11, 7, 4, 4, 4, 4])
        blockTaps = try value("resblock_kernel_sizes", [3, 7, 11])
        dilations = try value("resblock_dilation_sizes", [[1, 3, 5], [1, 3, 5], [1, 3, 5]])
    }

    /// Samples of a frame.
    var hop: Int { rates.reduce(1, *) }

    /// Channels behind so many stages.
    func channels(after stages: Int) -> Int { channels >> stages }

    /// Convolutions of a residual block with a dilation, and as many without: transformers builds three, whatever the list says.
    static let depth = 3

    func check() throws {
        func unsupported(_ what: String) -> Token2WavError { .unsupported("a vocoder with \(what)") }
        let all = [mel, channels] + rates + taps + blockTaps + dilations.flatMap { $0 }
        guard all.allSatisfy({ (1...8192).contains($0) }), !rates.isEmpty, rates.count == taps.count, rates.count < 16 else {
            throw unsupported("sizes \(all), rates \(rates), taps \(taps)")
        }
        guard channels % (1 << rates.count) == 0, zip(taps, rates).allSatisfy({ $0 >= $1 && ($0 - $1) % 2 == 0 }), hop <= 100_000 else {
            throw unsupported("\(channels) channels, rates \(rates) and taps \(taps)")
        }
        guard !blockTaps.isEmpty, blockTaps.count == dilations.count, blockTaps.allSatisfy({ $0 % 2 == 1 }),
            dilations.allSatisfy({ $0.count == Self.depth })
        else { throw unsupported("residual blocks of \(blockTaps) taps and dilations \(dilations)") }
    }
}
