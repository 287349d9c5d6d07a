import Foundation
import OmniTestSupport
import Testing

@testable import OmniTensor
@testable import OmniToken2Wav

@Suite struct CheckpointTests {
    /// A copy of the checkpoint, with `edit` of its configuration.
    static func copy(_ edit: (inout [String: Any]) -> Void = { _ in }) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for name in try FileManager.default.contentsOfDirectory(atPath: Fixture.folder) where name != "config.json" {
            try FileManager.default.copyItem(atPath: "\(Fixture.folder)/\(name)", toPath: "\(folder.url.path)/\(name)")
        }
        let data = try Data(contentsOf: URL(fileURLWithPath: Fixture.folder + "/config.json"))
        var config = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        edit(&config)
        try folder.write("config.json", JSONSerialization.data(withJSONObject: config))
        return folder
    }

    static func reason(_ folder: TemporaryFolder) -> String {
        do { _ = try Token2Wav(folder: folder.url.path) } catch { return "\(error)" }
        return "nothing"
    }

    /// With other values in a part of `token2wav_config`.
    static func reason(_ part: String, _ changes: [String: Any]) throws -> String {
        try reason(
            copy { config in
                var whole = config["token2wav_config"] as? [String: Any] ?? [:]
                whole[part] = (whole[part] as? [String: Any] ?? [:]).merging(changes) { $1 }
                config["token2wav_config"] = whole
            })
    }

    @Test func presenceIsSeen() throws {
        #expect(Token2Wav.isPresent(in: Fixture.folder) && !Token2Wav.isPresent(in: Fixture.root))
        #expect(!Token2Wav.isPresent(in: try Self.copy { $0["token2wav_config"] = nil }.url.path))
    }

    @Test func defaultsAreThePublishedModels() throws {
        let (flow, sound) = (try FlowConfig([:]), try VocoderConfig([:]))
        #expect(flow.hidden == 1024 && flow.layers == 22 && flow.inputs == 912 && flow.codes == 8193 && flow.block == 24)
        #expect(sound.hop == 240 && sound.channels(after: 6) == 24)
    }

    @Test func tensorsThatAreMissingOddOrUnknownAreNamed() throws {
        #expect(try Self.reason("dit_config", ["num_hidden_layers": 4]).contains("transformer_blocks.3.attn.to_k.bias is missing"))
        #expect(
            try Self.reason("dit_config", ["num_hidden_layers": 2]).contains(
                "transformer_blocks.2.attn.to_k.bias should be none of that name"))
        #expect(try Self.reason("dit_config", ["emb_dim": 25]).contains("input_embed.proj.weight should be [153, 48], but is [152, 48]"))
        #expect(try Self.reason("bigvgan_config", ["resblock_kernel_sizes": [3, 7, 9]]).contains("resblocks.11.convs1.0.weight should be"))
    }

    @Test func configurationsThatAreNotBuiltAreRefused() throws {
        #expect(try Self.reason("dit_config", ["head_dim": 15]).contains("heads of 15"))
        #expect(try Self.reason("dit_config", ["hidden_size": -1]).contains("not supported"))
        #expect(try Self.reason("dit_config", ["enc_channels": [16, 16]]).contains("encoder layers"))
        #expect(try Self.reason("dit_config", ["block_size": 25]).contains("blocks of 25"))
        #expect(try Self.reason("bigvgan_config", ["upsample_rates": [5, 3, 2, 2, 2, 3]]).contains("rates"))
        #expect(try Self.reason("bigvgan_config", ["mel_dim": 81]).contains("80 bands for a vocoder of 81"))
        #expect(try Self.reason("dit_config", ["hidden_size": "wide"]).contains("config.json: is broken"))
        let silent = try Self.copy { $0["token2wav_config"] = nil }
        #expect(Self.reason(silent).contains("does not speak"))
    }

    @Test func filesThatAreCutShortAreNamed() throws {
        let folder = try Self.copy()
        let path = folder.url.path + "/model-00003-of-00003.safetensors"
        let data = try #require(FileManager.default.contents(atPath: path))
        try folder.write("model-00003-of-00003.safetensors", data.dropLast(5000))
        #expect(Self.reason(folder).contains("model-00003-of-00003.safetensors") && Self.reason(folder).contains("cut short"))
    }

    @Test func voicesThatAreMissingAreNamed() throws {
        let folder = try Self.copy()
        try FileManager.default.removeItem(atPath: folder.url.path + "/spk_dict.pt")
        #expect(Self.reason(folder).contains("spk_dict.pt: is missing"))
    }
}
