import Foundation

/// `token2wav_config` of a Qwen2.5-Omni's `config.json`. What it leaves out is what transformers takes.
struct Token2WavConfig: Sendable {
    let transformer: FlowConfig
    let vocoder: VocoderConfig
    /// Hz; no file says it.
    static let sampleRate = 24_000

    init(folder: String) throws {
        struct Parts: Decodable {
            let dit_config: FlowConfig?
            let bigvgan_config: VocoderConfig?
        }
        struct Whole: Decodable { let token2wav_config: Parts? }
        let path = "\(folder)/config.json"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Token2WavError.checkpoint(path: path, reason: "is missing")
        }
        let whole: Whole
        do { whole = try JSONDecoder().decode(Whole.self, from: data) } catch {
            throw Token2WavError.checkpoint(path: path, reason: "is broken: \(error)")
        }
        guard let parts = whole.token2wav_config else {
            throw Token2WavError.checkpoint(path: path, reason: "has no token2wav_config: the model does not speak")
        }
        transformer = try parts.dit_config ?? FlowConfig([:])
        vocoder = try parts.bigvgan_config ?? VocoderConfig([:])
        try transformer.check()
        try vocoder.check()
        guard transformer.mel == vocoder.mel else {
            throw Token2WavError.unsupported("a spectrogram of \(transformer.mel) bands for a vocoder of \(vocoder.mel)")
        }
    }
}

/// Keys of an object whose missing ones have a default.
struct Defaulted {
    private let container: KeyedDecodingContainer<Key>?

    struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(_ decoder: any Decoder) throws { container = try decoder.container(keyedBy: Key.self) }

    init(_ nothing: [String: Int]) { container = nil }

    func callAsFunction<Value: Decodable>(_ key: String, _ standard: Value) throws -> Value {
        try container?.decodeIfPresent(Value.self, forKey: Key(stringValue: key)) ?? standard
    }
}
