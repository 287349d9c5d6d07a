import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniMedia
import OmniSpeech
import Testing

private let espeakIsThere = ["/usr/bin/espeak-ng", "/usr/local/bin/espeak-ng", "/opt/homebrew/bin/espeak-ng"].contains {
    FileManager.default.isExecutableFile(atPath: $0)
}

/// Voices that Tools/voices/tiny.py makes: each symbol is a short tone.
@Suite("Tiny voices of other families", .serialized, .enabled(if: espeakIsThere))
struct TinyVoiceTests {
    func fixture(_ name: String) throws -> String {
        try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil)).path
    }

    func load(_ name: String) async throws -> SpeechEngine {
        try await SpeechEngine.load(folder: fixture(name), logger: Logger(label: "test"))
    }

    @Test("Piper, whose settings stand beside it")
    func piper() async throws {
        let engine = try await load("piper")
        #expect(
            engine.family == .piper && engine.voices.map(\.name) == ["piper"] && engine.abilities.sampleRate == 16_000
                && engine.abilities.isDeterministic)
        let heard = try await engine.hear("Hello there. Good morning.")
        #expect(heard.units.count == 2 && heard.units.allSatisfy { $0.samples >= $0.symbols * 480 } && (0.05...0.2).contains(heard.level))
    }

    @Test("Kokoro: speakers by name, each with its own sound")
    func kokoro() async throws {
        let engine = try await load("kokoro")
        #expect(engine.family == .kokoro && engine.voices.map(\.name) == ["af_low", "af_high"] && engine.abilities.sampleRate == 24_000)
        let low = try await engine.hear("Hello there. Good morning."),
            high = try await engine.hear(SpeechSynthesis(text: "Hello there. Good morning.", voice: "AF_HIGH"))
        #expect(
            low.units.count == 2 && low.samples.count == high.samples.count && low.samples != high.samples
                && (0.05...0.2).contains(low.level))
    }

    @Test("a silence that the text asks for is as long as it says, whatever the speed", arguments: [1.0, 2.0])
    func silence(speed: Double) async throws {
        let engine = try await load("kitten")
        func seconds(_ text: String) async throws -> Double {
            try await engine.hear(SpeechSynthesis(text: text, speed: speed)).clip.duration
        }
        let apart = try await seconds("<speak>Hello there.<break time=\"3s\"/>Good morning.<break time=\"1s\"/></speak>")
        // Instead of the pause of a fifth of a second between two sentences.
        #expect(abs(apart - (try await seconds("Hello there. Good morning.")) - 4 + 0.2 / speed) < 0.1)
    }

    @Test("Kitten: speakers by name, each with its own sound")
    func kitten() async throws {
        let engine = try await load("kitten")
        #expect(engine.family == .kitten && engine.voices.map(\.name) == ["low", "high"] && engine.abilities.sampleRate == 24_000)
        let low = try await engine.hear("Hello there. Good morning."),
            high = try await engine.hear(SpeechSynthesis(text: "Hello there. Good morning.", voice: "HIGH"))
        #expect(low.units.count == 2 && low.units.allSatisfy { $0.samples >= $0.symbols * 480 })
        #expect(low.samples.count == high.samples.count && low.samples != high.samples)
        #expect((0.05...0.2).contains(low.level))
    }

    @Test("Matcha with a HiFi-GAN vocoder")
    func matcha() async throws {
        let engine = try await load("matcha")
        #expect(engine.family == .matcha && engine.abilities.sampleRate == 22_050)
        let heard = try await engine.hear("Hello there. Good morning.")
        #expect(heard.units.count == 2 && heard.units.allSatisfy { $0.samples >= $0.symbols * 512 })
        #expect((0.05...0.2).contains(heard.level))
    }

    @Test("ZipVoice imitates a sample, and asks for it and its text")
    func zipvoice() async throws {
        let engine = try await load("zipvoice")
        #expect(engine.family == .zipvoice && engine.abilities.clones && engine.abilities.cloningNeedsText)
        let sample = (0..<24_000).map { Float(sin(Double($0) * 0.05) * 0.3) }
        let reference = ReferenceVoice(samples: sample, sampleRate: 24_000, text: "hello there")
        let heard = try await engine.hear(SpeechSynthesis(text: "Good morning to you all. Hello there.", reference: reference))
        #expect(heard.units.count == 2 && heard.units.allSatisfy { $0.samples > 2000 })
        #expect(heard.level > 0.001)
        for wrong in [nil, ReferenceVoice(samples: sample, sampleRate: 24_000)] {
            await #expect { try await engine.hear(SpeechSynthesis(text: "Hello.", reference: wrong)) } throws: {
                ($0 as? APIError)?.status == 400
            }
        }
    }

    @Test("Supertonic: a seed gives the same sound again")
    func supertonic() async throws {
        let engine = try await load("supertonic")
        #expect(engine.family == .supertonic && engine.abilities.honoursSeed && engine.abilities.sampleRate == 24_000)
        func heard(_ seed: Int?) async throws -> Heard {
            try await engine.hear(SpeechSynthesis(text: "Hello there. Good morning.", language: "English", seed: seed))
        }
        let (first, again, other) = (try await heard(5), try await heard(5), try await heard(6))
        #expect(first.units.count == 2 && first.ignored.isEmpty && (0.05...0.2).contains(first.level))
        #expect(first.samples == again.samples && first.samples != other.samples)
        let unknown = SpeechSynthesis(text: "Hello.", language: "Klingon")
        await #expect { try await engine.hear(unknown) } throws: { ($0 as? APIError)?.status == 400 }
    }

    @Test("Pocket TTS imitates a sample, and a seed gives the same sound again")
    func pocket() async throws {
        let engine = try await load("pocket")
        #expect(engine.family == .pocket && engine.abilities.clones && !engine.abilities.cloningNeedsText && engine.abilities.honoursSeed)
        func sample(_ level: Double) -> ReferenceVoice {
            ReferenceVoice(samples: (0..<24_000).map { Float(sin(Double($0) * 0.05) * level) }, sampleRate: 24_000)
        }
        func heard(_ seed: Int, _ level: Double = 0.3) async throws -> Heard {
            try await engine.hear(
                SpeechSynthesis(text: "Hello there. Good morning to you all, jörg.", seed: seed, reference: sample(level)))
        }
        let first = try await heard(5), again = try await heard(5), other = try await heard(6), louder = try await heard(5, 0.9)
        // Two frames of 1920 samples for each character, bytes of unknown ones included.
        #expect(first.units.count == 2 && first.units.allSatisfy { $0.samples >= $0.symbols * 3840 } && (0.05...0.2).contains(first.level))
        #expect(first.samples == again.samples && first.samples != other.samples && first.samples != louder.samples)
        await #expect { try await engine.hear("Hello.") } throws: { ($0 as? APIError)?.status == 400 }
    }

    @Test(
        "metadata that sherpa-onnx would end the process over",
        arguments: [
            ("kitten", "model.onnx", "kitten-tts", "kitten-xxx"), ("kitten", "model.onnx", "n_speakers", "n_speakerz"),
            ("kitten", "model.onnx", "style_dim", "style_din"),
            ("kitten", "model.onnx", "24000", "-4000"), ("kitten", "voices.bin", "", "x"), ("kitten", "tokens.txt", ", ", "Ω "),
            ("matcha", "hifigan_v2.onnx", "hifigan", "hifigen"), ("matcha", "model-steps-3.onnx", "use_eos_bos", "use_eos_bot"),
            ("matcha", "tokens.txt", "^ ", "Ω "),
            ("supertonic", "voice.bin", "", "x"), ("supertonic", "unicode_indexer.bin", "", "x"),
            ("supertonic", "tts.json", "latent_dim", "latent_din"),
            ("zipvoice", "vocos_24khz.onnx", "vocos", "vocoz"), ("pocket", "vocab.json", "\"<s>\": 1,", "\"<s>\": 9999,"),
            ("pocket", "vocab.json", "<0x41>", "<0x4Z>"), ("pocket", "token_scores.json", "-1.0", "\"-1\""),
        ])
    func refusals(voice: String, file: String, old: String, new: String) async throws {
        let folder = "\(NSTemporaryDirectory())/omni-tiny-\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: fixture(voice), toPath: folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let url = URL(fileURLWithPath: "\(folder)/\(file)")
        var data = try Data(contentsOf: url)
        // The file's own name may stand in it first: the last place is the metadata's.
        if let place = data.range(of: Data(old.utf8), options: .backwards) {
            data.replaceSubrange(place, with: Data(new.utf8))
        } else {
            data.append(Data(new.utf8))
        }
        try data.write(to: url)
        await #expect { try await SpeechEngine.load(folder: folder, logger: Logger(label: "test")) } throws: { error in
            (error as? APIError)?.message.contains("cannot be used") == true
        }
    }
}
